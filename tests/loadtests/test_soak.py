"""The soak in seconds: every process of it is real, and only what takes hours to see is not looked at."""

import pytest

from loadtests.soak.gates import gates
from loadtests.soak.plan import SHORT
from loadtests.soak.soaking import soak
from loadtests.soak.workers import exactly


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one short soak has found."""
    return soak(tmp_path_factory.mktemp("soak"), SHORT, lambda *_: None)


def test_nothing_is_lost_and_nothing_is_left(found):
    """Through a frozen Redis, a restarted PostgreSQL, a provider that breaks off, clients that leave, and reloads."""
    short = [gate for gate in gates(found) if gate.verdict == "short"]
    assert ([], [], []) == (short, found.account.differences, found.surplus)
    assert exactly(found.baseline) == exactly(found.drained[0])
    assert found.written


def test_every_kind_of_request_was_there(found):
    """So that the account is of more than what went well."""
    assert {"stream", "whole", "short", "cancel", "reset", "refusal"} == {one.kind for one in found.ended}
    assert {"succeeded", "failed", "refused", "cancelled"} == set(found.account.endings)
    assert {"closes", "resets", "leaves twice", ""} == {one.leaving for one in found.ended}
    assert found.account.sent == found.account.rows + found.account.endings["refused"] + found.account.unseen


def test_every_fault_was_there(found):
    """And a reload under load."""
    done = {name for _, name in found.loads[0].acts}
    begun_and_ended = {f"{name} {when}" for name in ("redis", "postgres", "resets") for when in ("begins", "ends")}
    assert begun_and_ended | {"reload"} == done
