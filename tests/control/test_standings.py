"""What the registry says of releases."""

from dataclasses import replace

import pytest

from gateway.control.standings import Standings, keys_of
from gateway.core import standing as rules
from gateway.core.review import Review
from gateway.core.standing import Entry, registered
from tests.proxy.playbook import prompt, release

GREETING = prompt()
PLAIN, PROMPTED = release("1.0.0"), release("1.0.0", prompt=GREETING)
RELEASE, MODEL, PROMPT = keys_of(PROMPTED)


def standing(key, **changes):
    """A version that has been registered."""
    return replace(registered(Entry(*key, {}), None, author=None, now=1.0), **changes)


def told(*known, now=100.0):
    """What is known at a moment."""
    return Standings({each.key: each for each in known}, now)


def test_a_release_is_of_three_versions_at_most():
    """Itself, its model version, and its prompt version where it has one."""
    assert [("release", "desk", "1.0.0"), ("model", "atlas", "1.0.0")] == list(keys_of(PLAIN))
    assert ("prompt", GREETING.name, GREETING.version) == PROMPT
    assert [RELEASE, MODEL] == list(keys_of(PLAIN))


def test_what_is_not_registered_bars_nothing():
    """Neither does what is, until somebody says so."""
    assert None is told().why_out(PROMPTED)
    assert None is told(*map(standing, keys_of(PROMPTED))).why_out(PROMPTED)


@pytest.mark.parametrize(
    ("known", "bar"),
    [
        (standing(RELEASE, review=Review.revoked, reason="it leaks"), ("revoked", "revoked: it leaks")),
        (
            standing(MODEL, review=Review.revoked, reason="a: b"),
            ("revoked", "revoked with its model atlas@1.0.0: a: b"),
        ),
        (
            standing(PROMPT, review=Review.rejected, reason="unfit"),
            ("rejected", f"rejected with its prompt {GREETING.name}@{GREETING.version}: unfit"),
        ),
        (
            rules.retire(standing(MODEL), "old", 2.0),
            ("retired", "retired with its model atlas@1.0.0: old"),
        ),
    ],
)
def test_a_release_is_barred_by_itself_or_by_a_part(known, bar):
    """With the rule for the record, and the reason for people."""
    assert (bar, bar[1]) == (told(known).bar(PROMPTED), told(known).why_out(PROMPTED))


def test_the_release_itself_is_said_first():
    """Then its model, then its prompt."""
    known = [standing(key, review=Review.revoked, reason=key[0]) for key in (PROMPT, MODEL, RELEASE)]
    assert "revoked: release" == told(*known).why_out(PROMPTED)


def test_an_announced_end_bars_from_its_instant():
    """By the time of the snapshot."""
    ending = rules.deprecate(standing(MODEL), "x", 50.0, retire_at=100.0, successor=None)
    assert [None, "retired"] == [
        bar and bar[0] for bar in (told(ending, now=now).bar(PLAIN) for now in (99.999, 100.0))
    ]


def test_nothing_is_told_of_what_is_not_deprecated():
    """The release is the very same."""
    assert PROMPTED is told(standing(MODEL), standing(PROMPT)).told(PROMPTED)


def test_the_earliest_date_of_several_parts_is_told():
    """And each successor: of the release, the model and the prompt."""
    model = rules.deprecate(standing(MODEL), "x", 60.0, retire_at=1_000_000_000.0, successor="2.0.0")
    prompt_ = rules.deprecate(standing(PROMPT), "x", 50.9, retire_at=2_000_000_000.0, successor="9")
    whole = rules.deprecate(standing(RELEASE), "x", 70.0, retire_at=None, successor="1.1.0")
    assert (
        (b"deprecation", b"@50"),
        (b"sunset", b"Sun, 09 Sep 2001 01:46:40 GMT"),
        (b"link", b'<urn:pinion:release:desk/1.1.0>; rel="successor-version"'),
        (b"link", b'<urn:pinion:model:atlas@2.0.0>; rel="successor-version"'),
        (b"link", f'<urn:pinion:prompt:{GREETING.name}@9>; rel="successor-version"'.encode()),
    ) == told(model, prompt_, whole).told(PROMPTED).notice


def test_what_is_no_longer_deprecated_says_nothing():
    """A release that was told once is told anew with every snapshot."""
    ending = rules.deprecate(standing(MODEL), "x", 60.0, retire_at=None, successor=None)
    marked = told(ending).told(PROMPTED)
    assert ((b"deprecation", b"@60"),) == marked.notice
    assert () == told(standing(MODEL)).told(marked).notice
