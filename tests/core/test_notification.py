"""What of the audit trail people hear of, and in which words."""

import json
from dataclasses import replace
from itertools import count

import pytest

from gateway.core.admission import Excepted, RequestMove
from gateway.core.approval import approved, ended, signed
from gateway.core.audit import GENESIS, AuditAct, By, Entry, Origin, Place, Salted, Target, ToldEntry, entry_of
from gateway.core.audit_acts import act_of_arm_out, act_of_exception, act_of_refusal, act_of_standing, acts_of_request
from gateway.core.notification import TYPES, Message, notification_of
from gateway.core.recorded import ArmOut
from gateway.core.standing import Standing
from tests.core.approval_samples import ENG, RISK, SUBJECT, asked

ADA = By("ada", Origin("person", "author", "declared"))
DIGEST = "a" * 64
POLICY_REQUEST = replace(asked(), kind="approval_policy", name="production", version="d" * 64)
EXCEPTED = Excepted("x1", "production", "desk", "1.1.0", DIGEST, "ada", "a trial", 0.0, 3600.0)
EMERGENCY = replace(EXCEPTED, is_emergency=True, review_by=60.0)
NUMBERS = count(1)


def told(act, *, is_forgotten=False):
    """An act as the trail tells it."""
    actor, reason = Salted(b"a", act.actor), Salted(b"r", act.reason) if act.reason else None
    place = Place("c0ffee", next(NUMBERS), GENESIS)
    entry = entry_of(act, place, actor.digest, None if reason is None else reason.digest)
    return ToldEntry(entry, None, None) if is_forgotten else ToldEntry(entry, actor, reason)


def of_request(request, verb, by=ADA):
    """The messages of a request's move."""
    return [notification_of(told(act)) for act in acts_of_request(RequestMove(request), verb, by, 30.0)]


def test_a_request_is_told_with_all_that_a_signer_needs():
    """What, where, which digest, what is missing until when, who asked and why, and the command that comes next."""
    (message,) = of_request(asked(reason="better"), "request")
    data = dict(message.data)
    assert data.pop("entry") > 0
    assert ("approval.requested", "1970-01-01T00:00:30.000Z", 30.0) == (
        message.type,
        message.timestamp,
        message.happened,
    )
    assert {
        "action": "approval.request",
        "kind": "release",
        "release": "desk/1.1.0",
        "digest": DIGEST,
        "environment": "production",
        "request": "q1",
        "state": "open",
        "missing": "1 of engineering, 1 of risk",
        "deadline": "1970-01-01T00:01:50.000Z",
        "by": "ada",
        "by_kind": "person",
        "reason": "better",
        "next": "pinion release review desk/1.1.0",
    } == data
    assert {"type": message.type, "timestamp": message.timestamp, "data": message.data} == json.loads(message.body)


def test_each_sign_off_says_what_is_still_missing():
    """The last one nothing, and the approval follows."""
    first = signed(asked(), ENG, role=None, digest=None, now=20.0, comment="read it")
    (message,) = of_request(first, "sign", By("eng"))
    assert ("approval.signed", "eng", "read it", "1 of risk", "engineering") == (
        message.type,
        *(message.data[name] for name in ("by", "reason", "missing", "role")),
    )
    assert "pinion release review desk/1.1.0" == message.data["next"]
    last, _ = approved(signed(first, RISK, role=None, digest=None, now=21.0), 22.0)
    sign, approve = of_request(last, "approve")
    assert ("approval.signed", "approval.approved") == (sign.type, approve.type)
    for each in (sign, approve):
        assert not {"missing", "deadline", "next"} & each.data.keys()


@pytest.mark.parametrize(
    ("verb", "name", "following"),
    [
        ("reject", "approval.rejected", None),
        ("withdraw", "approval.withdrawn", "pinion release request desk/1.1.0"),
        ("expire", "approval.expired", "pinion release request desk/1.1.0"),
        ("dismiss", "approval.dismissed", "pinion release request desk/1.1.0"),
    ],
)
def test_every_end_of_a_request_is_told(verb, name, following):
    """With whoever ended it, and why."""
    (message,) = of_request(ended(asked(), verb, "ada", "because", 30.0), verb)
    assert (name, "ada", "because", following) == (
        message.type,
        message.data["by"],
        message.data["reason"],
        message.data.get("next"),
    )


def test_a_reminder_is_told():
    """With the deadline that it is for."""
    (message,) = of_request(asked(), "remind", By())
    assert ("approval.reminder", "gateway", "pinion release review desk/1.1.0") == (
        message.type,
        message.data["by_kind"],
        message.data["next"],
    )
    assert "deadline" in message.data


def test_a_change_of_an_approval_policy_is_told_by_its_name():
    """Its version is a digest, and the command takes its name."""
    (message,) = of_request(POLICY_REQUEST, "request")
    assert ("production", "pinion release approve --policy production") == (
        message.data["approval_policy"],
        message.data["next"],
    )
    assert "release" not in message.data
    (message,) = of_request(ended(POLICY_REQUEST, "expire", "gateway", "", 30.0), "expire")
    assert "pinion release request --policy production" == message.data["next"]


@pytest.mark.parametrize(
    ("made", "verb", "name"),
    [
        (EXCEPTED, "except", "release.excepted"),
        (EMERGENCY, "emergency", "release.emergency"),
        (EMERGENCY, "emergency_overdue", "release.emergency_overdue"),
        (replace(EXCEPTED, ended_at=3600.0), "end_exception", "release.exception_ended"),
    ],
)
def test_exceptions_are_told_with_their_ends(made, verb, name):
    """And an emergency with when its review is due."""
    message = notification_of(told(act_of_exception(made, verb, ADA, 5.0)))
    assert (name, "1970-01-01T01:00:00.000Z", "x1") == (message.type, message.data["until"], message.data["exception"])
    assert made.is_emergency == ("review_by" in message.data)
    assert "pinion release request desk/1.1.0" == message.data["next"]


@pytest.mark.parametrize(
    ("verb", "name", "following"),
    [
        ("revoke", "version.revoked", "pinion model dependents gpt-4o@2024-08-06"),
        ("retire", "version.retired", None),
        ("deprecate", "version.deprecated", "pinion model dependents gpt-4o@2024-08-06"),
    ],
)
def test_the_end_of_a_version_is_told(verb, name, following):
    """Of whatever kind it is."""
    standing = Standing("model", "gpt-4o", "2024-08-06", DIGEST, "f", 1.0, successor="2024-11-20", reason="it leaks")
    message = notification_of(told(act_of_standing(standing, verb, ADA)))
    assert (name, "gpt-4o@2024-08-06", "2024-11-20", "it leaks", following) == (
        message.type,
        *(message.data[key] for key in ("model", "successor", "reason")),
        message.data.get("next"),
    )
    release = notification_of(told(act_of_standing(replace(standing, kind="release", name="desk"), verb, ADA)))
    assert "desk/2024-08-06" == release.data["release"]
    if following:
        assert "pinion release dependents desk/2024-08-06" == release.data["next"]


@pytest.mark.parametrize(
    ("action", "state", "name", "following"),
    [
        ("rollout.rollback", "rolled_back", "rollout.rolled_back", "pinion explain --rollout desk"),
        ("rollout.undo", "rolled_back", "rollout.undone", "pinion explain --rollout desk"),
        ("rollout.promote", "completed", "rollout.completed", None),
        ("rollout.advance", "completed", "rollout.completed", None),
    ],
)
def test_the_end_of_a_rollout_is_told(action, state, name, following):
    """Whoever brought it about; a step is not."""
    details = {"rollout": "r1", "stable": "1.0.0", "state": state}
    act = AuditAct(1.0, "gateway", action, Target("route", "desk", "1.1.0"), details=details, reason="guardrail")
    message = notification_of(told(act))
    assert (name, "desk/1.1.0", "1.0.0", "guardrail", following) == (
        message.type,
        *(message.data[key] for key in ("release", "stable", "reason")),
        message.data.get("next"),
    )
    assert None is notification_of(told(replace(act, action="rollout.promote", details={"state": "running"})))


def test_an_arm_that_is_out_is_told():
    """By its release."""
    message = notification_of(told(act_of_arm_out(ArmOut("desk", "length", "1.1.0", "breaker", 4.0, {}))))
    assert ("desk/1.1.0", "length", "pinion experiment report desk") == tuple(
        message.data[key] for key in ("release", "experiment", "next")
    )


def test_what_is_refused_or_of_no_matter_is_no_notification():
    """A denial changes nothing, and what serves for the first time is for the record alone."""
    denied = act_of_refusal(Target("release", "desk", "1.1.0"), "sign", ADA, "ada asked for it", 5.0)
    served = AuditAct(1.0, "gateway", "version.serve", Target("model", "m", "1", DIGEST))
    assert [None, None] == [notification_of(told(act)) for act in (denied, served)]


def test_who_is_forgotten_is_told_no_more():
    """Neither a name nor a reason, where they were erased before it was sent."""
    (act,) = acts_of_request(RequestMove(asked(reason="better")), "request", ADA, 30.0)
    message = notification_of(told(act, is_forgotten=True))
    assert not {"by", "reason"} & message.data.keys()
    assert "ada" not in message.body


def test_the_same_entry_is_the_same_message():
    """Under the same id; another one has another, also of the same number in another store."""
    (act,) = acts_of_request(RequestMove(asked()), "request", ADA, 30.0)
    one = told(act)
    assert notification_of(one) == notification_of(one)
    assert notification_of(one).id != notification_of(told(act)).id
    other = replace(one, entry=replace(one.entry, hash="b" * 64))
    assert notification_of(one).id != notification_of(other).id


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"action":1}', b"\xff"])
def test_what_pinion_did_not_write_is_none(raw):
    """Whoever wrote it there."""
    assert None is notification_of(ToldEntry(Entry(1, raw, "0" * 64)))


def test_a_time_that_cannot_be_read_is_left_out():
    """An entry of another version may tell it otherwise."""
    act = AuditAct(1.0, "ada", "release.except", Target("release", "desk", "1.1.0"), details={"until": "soon"})
    assert "until" not in notification_of(told(act)).data
    assert 0.0 == Message("m", "t", "soon", {}).happened


def test_names_are_quoted_for_a_shell():
    """Whatever a policy file calls them."""
    subject = replace(SUBJECT, name="desk $(x)")
    (message,) = of_request(asked(subject), "request")
    assert "pinion release review 'desk $(x)/1.1.0'" == message.data["next"]


def test_every_type_says_what_has_happened():
    """No two actions have one type."""
    assert len(TYPES) == len(set(TYPES.values()))
