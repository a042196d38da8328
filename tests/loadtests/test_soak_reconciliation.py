"""Two accounts of the same requests: whatever does not agree is told."""

import pytest

from gateway.core.unit import unit_digest
from loadtests.soak.asking import Asked
from loadtests.soak.numbered import Order, completion, event
from loadtests.soak.reconciliation import SHOWN, Row, reconcile
from loadtests.soak.requests_file import read, row
from tests.loadtests.soak_samples import ended


def recorded(unit: str = "u-1", request_id: str = "req_1", outcome: str = "ok") -> Row:
    """A row of the ledger."""
    return Row(request_id, unit_digest(unit), outcome)


@pytest.mark.parametrize(
    ("one", "rows"),
    [
        (ended("whole", "succeeded"), [recorded()]),
        (ended("whole", "succeeded"), [recorded(outcome="slow")]),
        (ended("reset", "failed"), [recorded(outcome="failed")]),
        (ended("cancel", "cancelled", request_id="", leaving="closes"), [recorded(outcome="cancelled")]),
        (ended("refusal", "refused", status=404), []),
    ],
)
def test_each_request_is_in_the_ledger_as_it_ended(one, rows):
    """One that was refused is not there at all."""
    account = reconcile([one], 1, rows)
    assert (0, [], 1) == (account.count, account.differences, account.sent)
    assert "1 sent" in account.told()


@pytest.mark.parametrize(
    ("one", "rows", "told"),
    [
        (ended("whole", "succeeded"), [], "is not in the ledger"),
        (ended("cancel", "cancelled", status=0, leaving="closes"), [], "is not in the ledger"),
        (ended("cancel", "cancelled", leaving="resets"), [], "is not in the ledger"),
        (ended("whole", "succeeded"), [recorded(), recorded()], "is in the ledger 2 times"),
        (ended("whole", "succeeded"), [recorded(outcome="failed")], "is failed in the ledger"),
        (ended("whole", "succeeded"), [recorded(request_id="req_2")], "is req_2 in the ledger"),
        (ended("refusal", "refused"), [recorded()], "was refused and is in the ledger"),
        (ended("whole", "succeeded"), [recorded(), recorded("u-2", "req_2")], "nobody sent it"),
        (ended("whole", ""), [recorded()], "is ok in the ledger"),
    ],
)
def test_what_does_not_agree_is_told(one, rows, told):
    """In words, with the id."""
    account = reconcile([one], 1, rows)
    assert 1 == account.count
    assert told in account.differences[0]


def test_a_request_that_has_not_ended_is_missed():
    """The generator says how many it has sent."""
    assert ["2 were sent and 1 have ended"] == reconcile([ended("whole", "succeeded")], 2, [recorded()]).differences


def test_a_broken_connection_may_take_its_request_with_it():
    """Before any answer; such requests are counted apart."""
    account = reconcile([ended("cancel", "cancelled", status=0, request_id="", leaving="leaves twice")], 1, [])
    assert (0, 1) == (account.count, account.unseen)


def test_many_differences_are_counted_and_some_are_told():
    """Enough to see what they are."""
    account = reconcile([ended("whole", "succeeded", unit=f"u-{number}") for number in range(50)], 50, [])
    assert (50, SHOWN) == (account.count, len(account.differences))


def asked(kind: str = "whole", status: int = 200, **members) -> Asked:
    """A request with an answer."""
    return Asked("u-1", kind, Order(1, 0), "desk", "key", status=status, **members)


def test_how_a_request_ended_is_said_by_its_answer():
    """And why, where it failed."""
    whole, wrong, cut = asked(body=completion("atlas", 1)), asked(body=b"{}"), asked("stream")
    cut.received.feed(event(b"atlas", 0))
    broken = asked("reset")
    broken.received.feed(b'data: {"error":{}}\n\n')
    cases = [(whole, True), (wrong, True), (cut, False), (broken, True), (asked(status=503), True)]
    cases += [(asked("refusal", 404), True), (asked(status=0), False)]
    for one, is_complete in cases:
        one.end(whole=is_complete)
    assert [
        ("succeeded", ""),
        ("failed", "wrong"),
        ("failed", "cut"),
        ("failed", "error event"),
        ("failed", "status 503"),
        ("refused", ""),
        ("failed", "no answer"),
    ] == [(one.ending, one.why) for one, _ in cases]


def test_the_account_is_read_as_it_was_written(tmp_path):
    """Each line is one request."""
    one = asked("stream", request_id="req_1", begun=1.5)
    one.received.feed(event(b"atlas", 0) + event(b"atlas", 2))
    one.ending, one.why, one.seconds = "failed", "cut, it seems", 0.25
    path = tmp_path / "requests.csv"
    path.write_text(",".join(f'"{cell}"' for cell in row(one)) + "\n")
    (found,) = read(path)
    assert ("u-1", "stream", "failed", 200, "cut, it seems") == (
        found.unit,
        found.kind,
        found.ending,
        found.status,
        found.why,
    )
    assert (1.5, 0.25, 1, 2, 1) == (found.begun, found.seconds, found.events, found.got, found.missing)
