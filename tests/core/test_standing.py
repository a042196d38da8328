"""Where a registered version stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import standing as rules
from gateway.core.errors import VerbRefused
from gateway.core.lifecycle import Lifecycle
from gateway.core.review import Review
from gateway.core.standing import LATEST_END, Entry, Standing, registered, title

ENTRY = Entry("model", "atlas", "1", {"upstream_model": "atlas-2026-01-01"}, {"owner": "ada"})
NEW = registered(ENTRY, None, author=None, now=10.0)
FROZEN = rules.review(NEW, "freeze", "it serves", 20.0)


def other(**changes):
    """The same version with other content or other facts."""
    return replace(ENTRY, **changes)


# Names


@pytest.mark.parametrize(
    ("kind", "said"), [("model", "model a@1"), ("dataset", "dataset a@1"), ("release", "release a/1")]
)
def test_a_version_is_named_by_its_kind(kind, said):
    """A release stands behind its route and a slash, everything else behind a name and an at."""
    assert said == title(kind, "a", "1") == str(Entry(kind, "a", "1", {}))
    assert said == str(Standing(kind, "a", "1", "d", "f", 0.0))


def test_an_entry_does_not_show_what_it_holds():
    """Prompts are long, and belong in no log."""
    assert "atlas-2026-01-01" not in repr(ENTRY)


# Registering


def test_a_new_version_is_a_draft():
    """With the digests of its content and its facts, its author, the time, and revision 1."""
    made = registered(ENTRY, None, author="ada", now=10.0)
    assert ("draft", "active", "ada", 10.0, 10.0, 1) == (
        made.review.value,
        made.lifecycle.value,
        made.author,
        made.registered_at,
        made.changed_at,
        made.revision,
    )
    assert (ENTRY.digest, ENTRY.facts_digest, ENTRY.key) == (made.digest, made.facts_digest, made.key)
    assert not made.is_frozen


@pytest.mark.parametrize("known", [NEW, FROZEN])
def test_the_same_again_changes_nothing(known):
    """It is the very same standing, whoever gives it."""
    assert known is registered(ENTRY, known, author="eve", now=30.0)


def test_the_content_of_a_draft_may_change():
    """The digest is another one, and the move is counted; when it was registered first stays."""
    after = registered(other(content={"upstream_model": "b"}), NEW, author="eve", now=30.0)
    assert (NEW.digest, NEW.registered_at, 2) != (after.digest, after.registered_at, after.revision)
    assert (10.0, 30.0, 2, "eve") == (after.registered_at, after.changed_at, after.revision, after.author)


@pytest.mark.parametrize("state", [state for state in Review if state is not Review.draft])
def test_the_content_of_what_is_no_draft_never_changes(state):
    """The refusal names both digests, and says what to do."""
    changed = other(content={"upstream_model": "b"})
    with pytest.raises(VerbRefused, match="versions are immutable: put it back, and publish a new version") as raised:
        registered(changed, replace(NEW, review=state), author=None, now=30.0)
    assert NEW.digest[:12] in raised.value.message
    assert changed.digest[:12] in raised.value.message


@pytest.mark.parametrize("state", Review)
def test_facts_may_be_told_anew_at_any_time(state):
    """Where it stands stays; the author stays too, where a file tells them."""
    known = replace(NEW, review=state, author="ada")
    after = registered(other(facts={"owner": "bob"}), known, author=None, now=30.0)
    assert (state, "ada", known.digest, 2) == (after.review, after.author, after.digest, after.revision)
    assert known.facts_digest != after.facts_digest


@given(st.lists(st.sampled_from(["content", "facts", "freeze"]), max_size=8))
def test_a_frozen_digest_never_changes(acts):
    """Whatever is registered after it, in whatever order; each change counts one."""
    standing, content, facts, frozen = NEW, 0, 0, None
    for number, act in enumerate(acts):
        before = standing
        if act == "freeze" and not standing.is_frozen:
            standing = rules.review(standing, "freeze", "it serves", 20.0)
            frozen = standing.digest
        elif act == "facts":
            facts = number + 1
        else:
            content = number + 1
        told = Entry("model", "atlas", "1", {"n": content}, {"n": facts})
        try:
            standing = registered(told, standing, author=None, now=30.0)
        except VerbRefused:
            assert standing.is_frozen
        assert frozen in (None, standing.digest)
        assert standing.revision >= before.revision


# Its end


def test_a_deprecated_version_says_when_and_what_next():
    """From the moment that it was first said; the date and the successor may be told anew."""
    first = rules.deprecate(NEW, "a better one", 100.0, retire_at=200.0, successor="2")
    again = rules.deprecate(first, "later", 150.0, retire_at=None, successor=None)
    assert (Lifecycle.deprecated, 100.0, 200.0, "2", "a better one", 2) == (
        first.lifecycle,
        first.deprecated_at,
        first.retire_at,
        first.successor,
        first.reason,
        first.revision,
    )
    assert (100.0, None, None, "later", 3) == (
        again.deprecated_at,
        again.retire_at,
        again.successor,
        again.reason,
        again.revision,
    )
    assert (None, None) == (first.why_out(199.9), again.why_out(1e9))


@pytest.mark.parametrize(
    ("retire_at", "successor", "said"),
    [
        (100.0, None, "would end before now; name a later date, or retire it"),
        (99.0, None, "would end before now"),
        (LATEST_END + 1, None, "would end after the year 9999, which no answer can say"),
        (float("inf"), None, "would end after the year 9999"),
        (None, "1", "cannot succeed itself; name another version"),
    ],
)
def test_an_end_that_cannot_be_is_refused(retire_at, successor, said):
    """At or before now, beyond what a date can say, or in favour of itself."""
    with pytest.raises(VerbRefused, match=f"^model atlas@1 {said}"):
        rules.deprecate(NEW, "x", 100.0, retire_at=retire_at, successor=successor)


@pytest.mark.parametrize("verb", [lambda it: rules.deprecate(it, "x", 9.0, retire_at=None, successor=None), None])
def test_a_retired_version_takes_no_verb_of_its_life(verb):
    """Neither deprecate nor retire."""
    retired = rules.retire(NEW, "done", 50.0)
    with pytest.raises(VerbRefused, match="is retired and does not take"):
        (verb or (lambda it: rules.retire(it, "x", 60.0)))(retired)


def test_it_is_due_from_the_very_instant():
    """Not a moment before, and from then on it serves nobody, without anybody having moved it."""
    ending = rules.deprecate(NEW, "x", 100.0, retire_at=200.0, successor=None)
    assert [False, True, True] == [ending.is_due(now) for now in (199.999, 200.0, 200.001)]
    assert (None, "retired: the date that was announced for it has come") == (
        ending.why_out(199.999),
        ending.why_out(200.0),
    )


def test_a_clock_set_by_an_hour_moves_only_what_is_due_within_it():
    """Back, and it is due no more until it has been retired; retired, it stays so."""
    ending = rules.deprecate(NEW, "x", 100.0, retire_at=5_000.0, successor=None)
    assert [True, False, True] == [ending.is_due(now) for now in (5_000.0, 5_000.0 - 3_600, 5_000.0 + 3_600)]
    retired = rules.retire(ending, rules.DUE, 5_000.0)
    assert retired.why_out(5_000.0 - 3_600) == f"retired: {rules.DUE}"
    assert not retired.is_due(9_000.0)


@pytest.mark.parametrize(
    ("moved", "why"),
    [
        (NEW, None),
        (FROZEN, None),
        (rules.review(FROZEN, "revoke", "it leaks", 30.0), "revoked: it leaks"),
        (replace(FROZEN, review=Review.rejected, reason="unfit"), "rejected: unfit"),
        (rules.retire(FROZEN, "old", 30.0), "retired: old"),
        (rules.review(rules.retire(FROZEN, "old", 30.0), "revoke", "it leaks", 40.0), "revoked: it leaks"),
    ],
)
def test_why_a_version_may_serve_nobody(moved, why):
    """Revoked before rejected before retired; with the reason of the move."""
    assert why == moved.why_out(1e9)
