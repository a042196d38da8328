"""The pages that are walks do what they say."""

from pathlib import Path

import pytest

from tests.docs.walk import fits, steps, walked

DOCS = Path(__file__).parents[2] / "docs"
WALKS = ("rollouts.md", "experiments.md", "registry.md", "attestation.md", "cards.md", "governance.md")


@pytest.mark.parametrize("name", WALKS)
def test_a_page_can_be_walked(name):
    """Each command of the page gives the output that it shows, in the order of the page."""
    for step, given in walked(DOCS / name):
        if step.kind == "command":
            assert fits(step.shown, given), f"{step.text}\nshown:\n{step.shown}\ngiven:\n{given}"


@pytest.mark.parametrize(
    ("shown", "given", "expected"),
    [
        ("a 1 b\n", "a 22.5 b\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("key 0a1b2c3d4e5f\n", "key f0e1d2c3b4a5\n", True),
        ("running\n", "held\n", False),
        ("running...\n", "running, step 2\n", True),
        ("running...\nc\n", "running, step 2\nb\nc\n", False),
        ("", "", True),
        ("", "something\n", False),
    ],
)
def test_an_output_fits_what_is_shown(shown, given, expected):
    """Numbers may differ and `...` stands for any lines; everything else must be there."""
    assert expected == fits(shown, given)


def test_a_page_is_read_block_by_block():
    """Files, commands with their output, commands in the background; what is only shown is passed over."""
    page = (
        "<!-- file: a/b.yaml -->\n```yaml\nkind: x\n```\n"
        "<!-- background -->\n```console\n$ pinion serve\nready\n```\n"
        "<!-- skip -->\n```console\n$ rm -r /\n```\n"
        "```console\n$ one \\\n  two\nout\n$ three\n```\n"
    )
    assert [
        ("file", "a/b.yaml\nkind: x\n", ""),
        ("background", "pinion serve", "ready\n"),
        ("command", "one \\\n  two", "out\n"),
        ("command", "three", ""),
    ] == [(step.kind, step.text, step.shown) for step in steps(page)]
