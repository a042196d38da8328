"""The registry in words."""

import pytest

from gateway.cli.registry_text import differences, listing, page, standing_line, title, who_depends
from gateway.cli.terminal import show
from tests.cli.registry_files import told

NOW = 1_790_856_000.0


@pytest.fixture
def said(capsys):
    """What parts print, off a terminal."""

    def run(parts):
        show(*parts)
        return capsys.readouterr().out

    return run


def test_a_version_is_named_by_its_kind():
    """A release behind a slash."""
    assert ("atlas@1", "desk/1") == (title(told()), title(told(kind="release", name="desk")))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "candidate"),
        ({"review": "in_review", "reason": "please"}, "in review; please"),
        ({"review": "revoked", "reason": "it leaks"}, "revoked; it leaks"),
        ({"lifecycle": "retired"}, "candidate, retired"),
        ({"lifecycle": "retired", "retire_at": 1_790_856_000.0, "successor": "2"}, "candidate, retired, then 2"),
        ({"lifecycle": "deprecated"}, "candidate, deprecated"),
        (
            {"lifecycle": "deprecated", "retire_at": 1_790_856_000.0, "successor": "2", "reason": "old"},
            "candidate, deprecated until 2026-10-01 12:00:00 UTC, then 2; old",
        ),
    ],
)
def test_where_a_version_stands_is_one_line(changes, expected):
    """Its review, its life with its end, and the reason."""
    assert f"atlas@1 0123456789ab: {expected}" == standing_line(told(**changes)).plain


def test_versions_are_listed(said):
    """With how much is known of each, and who owns it; a dash where nobody does."""
    out = said(listing("model", [told(), told(version="2", facts={}, lifecycle="deprecated", successor="3")]))
    lines = [line.split() for line in out.splitlines()]
    assert ["model", "review", "lifecycle", "digest", "known", "owner"] == lines[0]
    assert ["atlas@1", "candidate", "active", "0123456789ab", "10%", "ml-team"] == lines[2]
    assert ["atlas@2", "candidate", "deprecated,", "then", "3", "0123456789ab", "10%", "-"] == lines[3]


def test_none_is_said(said):
    """Not an empty table."""
    assert "no dataset is registered\n" == said(listing("dataset", []))


def test_a_page_tells_everything(said):
    """The digest whole, who registered it and when, what is missing, facts and content; nothing that is empty."""
    out = said(page(told(), NOW))
    for line in (
        "digest      0123456789abcdef",
        "registered  2026-10-01 12:00:00 UTC by a policy file",
        "provenance  10%; not told: licence, validator",
        "use_cases  support; sales",
        "upstream_model  atlas-2026-01-01",
    ):
        assert f"  {line}\n" in out
    assert "served_model" not in out
    assert "params" not in out


def test_a_prompts_text_stands_below(said):
    """As it is written; and what is complete misses nothing."""
    out = said(
        page(
            told(kind="prompt", content={"text": "Be kind.\nEnd."}, missing=[], completeness=1.0, facts={}, author="a"),
            NOW,
        )
    )
    assert out.endswith("\n  Be kind.\n  End.\n")
    assert "provenance  100%\n" in out
    assert "by a\n" in out


def test_differences_are_told_key_by_key(said):
    """What only one of them has is a dash on the other's side; lists and numbers as they are."""
    other = told(
        version="2",
        digest="f" * 16,
        content={"upstream_model": "atlas-2026-02-01", "served_model": None, "params": {"temperature": 0.2}},
        facts={"owner": "ml-team"},
    )
    lines = [" ".join(line.split()) for line in said(differences(told(), other, 100)).splitlines()]
    assert "atlas@1 atlas@2" == lines[0]
    assert {
        "content.upstream_model atlas-2026-01-01 atlas-2026-02-01",
        "content.params {} -",
        "content.params.temperature - 0.2",
        "facts.use_cases support; sales -",
    } == set(lines[2:])


def test_texts_are_told_side_by_side(said):
    """Line by line; a line that only one has stands alone."""
    one = told(kind="prompt", content={"text": "Be kind.\nSame.\nEnd."})
    other = told(kind="prompt", version="2", digest="f" * 16, content={"text": "Be brief.\nOr not.\nSame.\nEnd."})
    lines = [" ".join(line.split()) for line in said(differences(one, other, 100)).splitlines()]
    assert ["atlas@1 atlas@2", "Be kind. Be brief.", "Or not.", "Same. Same.", "End. End."] == [lines[0], *lines[2:]]


def test_the_same_content_is_said(said):
    """And what is known of both may differ all the same."""
    out = said(differences(told(), told(version="2", facts={"owner": "b"}), 100))
    assert out.startswith("atlas@1 and atlas@2 have the same content\n")
    assert "facts.owner" in out
    assert "\n" == said(differences(told(), told(version="2"), 100))[-1:]


DEPENDENT = {"app": "web", "route": "desk", "release": "1.0.0", "tracks": ["stable", "fallback"], "is_declared": True}
DEPENDENT |= {"requests": 1_200, "last_at": 1_790_856_000.0}


def test_dependents_are_listed(said):
    """By release; how it serves, whether a file declares it, and how often it was met."""
    gone = {**DEPENDENT, "app": "old", "tracks": [], "is_declared": False, "requests": 0, "last_at": None}
    lines = [" ".join(line.split()) for line in said(who_depends([DEPENDENT, gone])).splitlines()]
    assert "application by release serves files requests, 7 days last" == lines[0]
    assert "web desk/1.0.0 stable, fallback declared 1,200 2026-10-01 12:00:00 UTC" == lines[2]
    assert "old desk/1.0.0 not now not declared none -" == lines[3]
    assert "1 application met it in the last 7 days" == lines[-1]


def test_nobody_is_said(said):
    """Not an empty table."""
    assert "nobody depends on it: no application may meet it, and none has lately\n" == said(who_depends([]))
