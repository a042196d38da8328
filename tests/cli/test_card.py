"""`pinion card`."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli.card import card
from tests.cli.test_check import GOOD
from tests.control.cards import FULL, card_text

MINE = card_text(FULL.replace("2027-03-31", "2999-01-01"), subject="r/1")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder of its own, on files given by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINION_POLICIES", raising=False)

    def run(files, *arguments, **more):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return CliRunner().invoke(card, arguments, **more)

    return run


def test_a_folder_of_complete_cards_is_said_to_be_one(run):
    """With each card's tier and how complete it is."""
    checked = run({"policies/a.yaml": GOOD, "policies/r.card.md": MINE}, "check", "policies")
    assert 0 == checked.exit_code, checked.output
    assert ["r/1", "high", "100%", "policies/r.card.md"] == checked.stdout.splitlines()[2].split()
    assert "1 card, nothing is missing" == checked.stdout.splitlines()[-1]


def test_what_is_missing_is_told_by_file_and_line(run):
    """Exit code 1; as JSON with the share that is there."""
    gappy = {"x.card.md": MINE.replace("owner: desk-team", "owner: TBD")}
    checked = run(gappy, "check", "x.card.md")
    assert 1 == checked.exit_code
    wanted = "x.card.md:5: card r/1: governance.owner is not said; say who answers for it, with owner:"
    assert wanted == checked.stdout.splitlines()[0]
    told = json.loads(run({}, "check", "x.card.md", "--json").stdout)
    assert (False, [0.9167], [5]) == (
        told["ok"],
        [each["completeness"] for each in told["cards"]],
        [problem["line"] for problem in told["problems"]],
    )


def test_a_review_that_is_overdue_is_a_gap(run):
    """By the day of today."""
    checked = run({"x.card.md": MINE.replace("2999-01-01", "2020-01-01")}, "check", "x.card.md")
    assert (1, True) == (checked.exit_code, "the review was due by 2020-01-01" in checked.stdout)


def test_a_folder_is_checked_as_a_set(run):
    """A subject must be one of its own; what is wrong with other files `pinion check` says."""
    broken = "kind: app\nname: a\nkeys: []\nroutes: [q]\n"
    files = {"p/a.yaml": GOOD, "p/b.yaml": broken, "p/r.card.md": MINE.replace("r/1", "r/2")}
    checked = run(files, "check", "p")
    assert 1 == checked.exit_code
    assert "p/r.card.md:4: card r/2: governance.subject: there is no release '2'; " in checked.stdout
    assert "b.yaml" not in checked.stdout


@pytest.mark.parametrize(
    ("files", "path", "said"),
    [
        ({"p/a.yaml": GOOD}, "p", "p:1: there is no card here; write one in a file that ends in .card.md"),
        ({"a.md": MINE}, "a.md", "a.md:1: the file's name says no card; let it end in .card.md"),
        ({"a.card.md": "x"}, "a.card.md", "a.card.md:1: the card file has no front matter; "),
        ({"a.card.md": "x" * (1 << 21)}, "a.card.md", "a.card.md:1: the file is over 1048576 bytes; "),
        ({"p/a.card.md": "x" * (1 << 21)}, "p", "p/a.card.md:1: the file is over 1048576 bytes; "),
    ],
)
def test_what_is_no_card_is_said_to_be_none(run, files, path, said):
    """Exit code 1."""
    checked = run(files, "check", path)
    assert 1 == checked.exit_code
    assert checked.stdout.startswith(said)
