"""`pinion card`."""

import json

import httpx2
import pytest
from click.testing import CliRunner

from gateway.cli.card import card
from gateway.control.policy_cards import read_card
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


STEADY = """
kind: provider
name: openai
dialect: openai
---
kind: route
name: steady
releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}}
serve: "1.0.0"
---
kind: model
name: idle
provider: openai
versions: {"2024-08-06": {upstream_model: idle-2024-08-06}}
"""
SERIAL = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A policy folder that holds what the gateway serves, with cards of a release and of model versions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINION_POLICIES", "policies")
    texts = {
        "a.yaml": STEADY,
        "release.card.md": card_text(subject="steady/1.0.0"),
        "model.card.md": card_text(subject="gpt-4o@2024-08-06"),
        "idle.card.md": card_text("  owner: x\n  intended_use: TBD\n", subject="idle@2024-08-06"),
    }
    (tmp_path / "policies").mkdir()
    for name, text in texts.items():
        (tmp_path / "policies" / name).write_text(text)
    return tmp_path / "policies"


@pytest.mark.parametrize("subject", ["steady/1.0.0", "gpt-4o@2024-08-06"])
def test_a_card_is_filled_in_with_what_was_measured(pinion, gateway, folder, subject):
    """By the gateway, of the release or of every release that uses the model version."""
    body = {"model": "steady", "user": "ada", "messages": [{"role": "user", "content": "hi"}]}
    assert 200 == httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=10).status_code
    written = pinion("card", "render", subject, "--window", "1h", "--out", "filled.card.md")
    assert (0, "written: filled.card.md\n") == (written.exit_code, written.stdout), written.stderr
    declared, found, problems = read_card("filled.card.md", (folder.parent / "filled.card.md").read_text())
    assert ([], subject) == (problems, found.subject)
    figures = {figure.metric: figure for figure in found.measured.figures if figure.release == "steady/1.0.0"}
    assert figures["requests"].value >= 1
    assert 0.0 == figures["error_rate"].value
    assert found.front["model-index"][0]["name"] == subject
    assert folder.exists()
    assert declared is not None


def test_a_filled_in_card_goes_to_standard_output(pinion, folder):
    """Where no file is named; what the gateway does not know it refuses."""
    assert folder.exists()
    assert pinion("card", "render", "steady/1.0.0").stdout.startswith("---\nlicense: mit\n")
    refused = pinion("card", "render", "steady/1.0.0", "--window", "long")
    assert (2, True) == (refused.exit_code, "window= is how far back to look" in refused.stderr)
    nowhere = pinion("card", "render", "steady/1.0.0", "--out", "no/such/place")
    assert (1, True) == (nowhere.exit_code, "No such file or directory" in nowhere.stderr)


@pytest.mark.parametrize("verb", ["render", "export"])
def test_a_card_that_does_not_say_what_it_is_for_is_not_shown(pinion, folder, verb):
    """Nor one without limitations or an owner."""
    assert folder.exists()
    refused = pinion("card", verb, "idle@2024-08-06")
    assert 1 == refused.exit_code
    assert "pinion: the card of idle@2024-08-06 cannot be shown: no intended use: write intended_use:" in refused.stderr
    assert "; no limitations: write" in refused.stderr


def test_a_model_version_that_nothing_uses_has_no_figures(pinion, folder):
    """There is nothing to ask for."""
    (folder / "idle.card.md").write_text(card_text(subject="idle@2024-08-06"))
    refused = pinion("card", "render", "idle@2024-08-06")
    assert (1, True) == (refused.exit_code, "no release uses idle@2024-08-06" in refused.stderr)


@pytest.mark.parametrize("verb", ["render", "export"])
def test_only_cards_of_the_folder_are_known(pinion, folder, verb):
    """Which there are is said; a folder that is not acceptable has none."""
    refused = pinion("card", verb, "other/1")
    known = "no card of 'other/1'; there is one of idle@2024-08-06, gpt-4o@2024-08-06, steady/1.0.0"
    assert (1, f"pinion: {known}\n") == (refused.exit_code, refused.stderr)
    (folder / "b.yaml").write_text("kind: x\n")
    refused = pinion("card", verb, "steady/1.0.0")
    assert (2, "pinion: policies is not acceptable; see pinion check policies\n") == (refused.exit_code, refused.stderr)


@pytest.mark.parametrize("subject", ["steady/1.0.0", "gpt-4o@2024-08-06"])
def test_a_card_is_exported_with_the_digest_of_its_version(alone, folder, subject):
    """Without a gateway; equal cards give equal documents."""
    assert folder.exists()
    exported = alone("card", "export", subject)
    (component,) = json.loads(exported.stdout)["components"]
    assert (subject, "SHA-256") == (component["bom-ref"], component["hashes"][0]["alg"])
    assert exported.stdout == alone("card", "export", subject).stdout


def test_a_file_is_exported_by_itself(alone, folder):
    """With a serial number and a time, where they are given."""
    path = str(folder / "release.card.md")
    exported = alone("card", "export", path, "--serial-number", SERIAL, "--timestamp", "2026-11-25T08:00:00Z")
    told = json.loads(exported.stdout)
    assert (SERIAL, "2026-11-25T08:00:00Z") == (told["serialNumber"], told["metadata"]["timestamp"])
    assert "hashes" not in told["components"][0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("none.card.md",), 1, "none.card.md:1: it cannot be read: No such file or directory; "),
        (("bad.card.md",), 1, "bad.card.md:2: card None: governance is missing; add it (and 1 more)"),
        (("steady/1.0.0", "--serial-number", "1"), 2, "write one like urn:uuid:3e671687"),
        (("steady/1.0.0", "--timestamp", "today"), 2, "write one like 2026-11-25T08:00:00Z"),
        (("steady/1.0.0", "--timestamp", "2026-11-25"), 2, "write one like 2026-11-25T08:00:00Z"),
    ],
)
def test_what_cannot_be_exported_is_said(alone, folder, arguments, code, said):
    """On one line, with the exit code that fits."""
    (folder.parent / "bad.card.md").write_text("---\nlicense: mit\ntext: x\n---\n")
    result = alone("card", "export", *arguments)
    assert code == result.exit_code
    assert said in result.stderr
