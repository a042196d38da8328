"""Admission: on whose word a release may serve, and what it no longer may."""

from dataclasses import replace

import pytest

from gateway.core.admission import Admission, Excepted, Governance, GovernanceMove, admitted, stands
from gateway.core.approval import Approval
from tests.core.approval_samples import POLICY, SUBJECT, asked

APPROVAL = Approval("q1", "release", "production", "desk", "1.1.0", SUBJECT.digest, 20.0, 1000.0)
EXCEPTION = Excepted("x1", "production", "desk", "1.1.0", SUBJECT.digest, "ada", "a trial", 20.0, 500.0)
NOTHING = Governance(policies=(POLICY,))


def decide(governance=NOTHING, subject=SUBJECT, behaviour="b1", policies=(POLICY,), now=100.0, has_served=True):
    """Whether a release may serve."""
    return admitted(governance, subject, behaviour, policies, now, has_served=has_served)


def test_what_nothing_governs_is_admitted_and_says_so():
    """That it was so is kept: a policy that comes later finds it serving."""
    found = decide(policies=())
    assert ("ungoverned", True, frozenset()) == (found.ground, found.admission.ungoverned, found.admission.policies)


def test_a_governed_release_needs_an_approval_or_an_exception():
    """Without either it is not admitted, and what is missing is said."""
    assert (None, "it is not approved") == (decide().admission, decide().why_not)
    by_approval = decide(replace(NOTHING, approvals=(APPROVAL,)))
    assert ("approval", "q1", None) == (by_approval.ground, by_approval.admission.approval_id, by_approval.why_not)
    by_exception = decide(replace(NOTHING, exceptions=(EXCEPTION,)))
    assert ("exception", "x1") == (by_exception.ground, by_exception.admission.exception_id)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"approvals": (replace(APPROVAL, until=100.0),)}, "its approval is too old"),
        ({"approvals": (replace(APPROVAL, digest="b" * 64),)}, "what was approved has changed since"),
        ({"approvals": (replace(APPROVAL, version="1.0.0"),)}, "it is not approved"),
        ({"approvals": (replace(APPROVAL, environment="test"),)}, "it is not approved"),
        ({"approvals": (replace(APPROVAL, kind="approval_policy"),)}, "it is not approved"),
        ({"exceptions": (replace(EXCEPTION, until=100.0),)}, "its exception has ended"),
        ({"exceptions": (replace(EXCEPTION, ended_at=90.0),)}, "its exception has ended"),
        ({"exceptions": (replace(EXCEPTION, digest="b" * 64),)}, "it is not approved"),
        ({"requests": (asked(),)}, "its approval is requested, and not given yet"),
    ],
)
def test_what_is_old_changed_or_of_something_else_admits_nothing(held, why):
    """An approval of one version never covers another."""
    found = decide(replace(NOTHING, **held))
    assert (None, why) == (found.admission, found.why_not)


def test_what_serves_goes_on_when_its_approval_has_merely_aged():
    """It stands, with a word of warning; another behaviour does not."""
    before = decide(replace(NOTHING, approvals=(APPROVAL,))).admission
    aged = replace(NOTHING, approvals=(replace(APPROVAL, until=50.0),), admissions=(before,))
    found = decide(aged)
    assert ("stands", before, "its approval is too old") == (found.ground, found.admission, found.why_not)
    assert decide(aged, behaviour="b2").admission is None


def test_what_served_before_a_policy_came_goes_on_under_its_name():
    """So that a policy can be introduced; the row says from then on what governs it."""
    before = decide(policies=()).admission
    found = decide(replace(NOTHING, admissions=(before,)))
    assert ("stands", frozenset({"production"})) == (found.ground, found.admission.policies)
    assert found.admission.ungoverned


def test_what_was_only_declared_before_a_policy_came_does_not_begin_under_it():
    """A candidate whose rollout was held has met nobody: it needs an approval like any other."""
    before = decide(policies=(), has_served=False).admission
    held = replace(NOTHING, admissions=(before,))
    found = decide(held, has_served=False)
    assert (None, None, "it is not approved") == (found.admission, found.ground, found.why_not)
    assert not held.admits(before.place, 100.0, has_served=False)
    assert held.admits(before.place, 100.0, has_served=True)


def test_an_admission_by_an_exception_ends_with_it():
    """Nothing stands on it any more."""
    before = decide(replace(NOTHING, exceptions=(EXCEPTION,))).admission
    held = replace(NOTHING, exceptions=(EXCEPTION,), admissions=(before,))
    assert stands(held, before, 499.0, has_served=True)
    assert not stands(held, before, 500.0, has_served=True)
    assert decide(held, now=500.0).admission is None


def test_the_same_admission_is_not_made_twice():
    """A set that is taken again has nothing to write."""
    first = decide(replace(NOTHING, approvals=(APPROVAL,))).admission
    again = decide(replace(NOTHING, approvals=(APPROVAL,), admissions=(first,)), now=200.0)
    assert first is again.admission


def test_the_latest_approval_and_the_longest_exception_count():
    """Several may be good for the same."""
    later, longer = replace(APPROVAL, id="q2", at=30.0), replace(EXCEPTION, id="x2", until=900.0)
    held = replace(NOTHING, approvals=(later, APPROVAL), exceptions=(EXCEPTION, longer))
    assert ("q2", "x2") == (held.approval_of(SUBJECT, 100.0).id, held.exception_of(SUBJECT, 100.0).id)


def test_an_emergency_is_overdue_until_it_is_reviewed():
    """From the moment on that its review was due by."""
    made = replace(EXCEPTION, is_emergency=True, review_by=60.0)
    assert not made.is_overdue(59.0)
    assert made.is_overdue(60.0)
    assert not replace(made, reviewed_at=60.0).is_overdue(70.0)
    assert not EXCEPTION.is_overdue(1e9)


def test_an_exception_says_what_it_is():
    """An emergency is overdue while its review is."""
    made = replace(EXCEPTION, is_emergency=True, review_by=60.0)
    assert ["exception", "emergency", "overdue"] == [EXCEPTION.kind(60.0), made.kind(59.0), made.kind(60.0)]
    assert "emergency" == replace(made, reviewed_at=70.0).kind(80.0)


def test_what_lasts_in_an_environment_is_found():
    """Not what has ended, nor what lasts elsewhere."""
    elsewhere = replace(EXCEPTION, id="x2", environment="test")
    held = replace(NOTHING, exceptions=(EXCEPTION, elsewhere))
    assert [EXCEPTION] == held.lasting("production", 499.0)
    assert [] == held.lasting("production", 500.0)


def test_an_id_says_on_what_word_a_release_was_admitted():
    """Also once that word has ended."""
    fire = replace(EXCEPTION, id="e1", is_emergency=True)
    held = replace(NOTHING, exceptions=(EXCEPTION, fire), approvals=(APPROVAL,))
    assert ["exception", "emergency", "approval"] == [held.word_of(each.id) for each in (EXCEPTION, fire, APPROVAL)]


def test_two_states_of_an_exception_are_joined():
    """What the first tells stays; what it does not tell comes from the other, and nothing else does."""
    first = replace(EXCEPTION, overdue_at=1.0)
    joined = first.joined(replace(EXCEPTION, overdue_at=2.0, reviewed_at=3.0, ended_at=4.0, reason="another"))
    assert replace(EXCEPTION, overdue_at=1.0, reviewed_at=3.0, ended_at=4.0) == joined
    assert joined == joined.joined(replace(EXCEPTION, overdue_at=8.0, reviewed_at=8.0, ended_at=8.0))


def test_governance_finds_what_applies():
    """Policies by route, environment and tier; requests by what they are about; admissions by place."""
    elsewhere = replace(POLICY, name="elsewhere", environments=frozenset({"test"}))
    held = Governance(policies=(POLICY, elsewhere), requests=(asked(),))
    assert (POLICY,) == held.over("desk", "production", "minimal")
    assert "elsewhere and production" == held.policy_for("desk", "test", "minimal").name
    assert Governance().policy_for("desk", "test", "high") is None
    assert asked() == held.open_request(SUBJECT.place)
    assert held.open_request(("release", "production", "desk", "9")) is None
    one = Admission("production", "desk", "1.0.0", "d", "b", 1.0, ungoverned=True)
    assert (replace(one, at=2.0),) == held.moved(GovernanceMove((one,))).moved(
        GovernanceMove((replace(one, at=2.0),))
    ).admissions


def test_a_move_of_nothing_is_none():
    """It needs no writing."""
    assert not GovernanceMove()
    assert GovernanceMove(policies=())
