"""When a worker is started again: every state with every event, and how long it waits."""

from itertools import product

import pytest

from gateway.core.worker import STEADY_SECONDS, Worker, ended, ready, stopped

TABLE = {
    "first": {"ready": "ready", "ended": "given_up", "stopped": "draining"},
    "ready": {"ready": "ready", "ended": "again", "stopped": "draining"},
    "again": {"ready": "ready", "ended": "again", "stopped": "draining"},
    "draining": {"ready": "draining", "ended": "gone", "stopped": "draining"},
    "gone": {"stopped": "gone"},
    "given_up": {"stopped": "given_up"},
}
"""Where each event leads from each state; what is not here cannot be."""

EVENTS = {
    "ready": lambda worker: ready(worker, 5.0),
    "ended": lambda worker: ended(worker, 5.0, clean=False),
    "stopped": stopped,
}


@pytest.mark.parametrize(("state", "event"), list(product(TABLE, EVENTS)))
def test_each_event_in_each_state(state, event):
    """It leads where the table says; what cannot happen is a fault of the supervisor's, and loud."""
    expected = TABLE[state].get(event)
    if expected is None:
        with pytest.raises(KeyError):
            EVENTS[event](Worker(state))
    else:
        assert expected == EVENTS[event](Worker(state)).state


def died(worker: Worker, served: float | None) -> Worker:
    """A worker that was ready for so many seconds, or never, and died."""
    if served is None:
        return ended(worker, 100.0, clean=False)
    return ended(ready(worker, 100.0), 100.0 + served, clean=False)


def test_the_first_death_costs_no_time_and_each_further_one_twice_as_much():
    """Up to half a minute, however many there are."""
    worker, delays = ready(Worker(), 0.0), []
    for served in [1.0, 1.0, None, None, None, None, None, None, None, *[None] * 2_000]:
        worker = died(worker, served)
        delays.append(worker.delay)
    assert [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == delays[:9]
    assert {30.0} == set(delays[9:])


def test_a_worker_that_was_steady_begins_anew():
    """What it died of before is long ago."""
    worker = died(died(ready(Worker(), 0.0), 1.0), 1.0)
    assert 2 <= worker.deaths
    assert (1, 0.0) == (died(worker, STEADY_SECONDS).deaths, died(worker, STEADY_SECONDS).delay)
    assert worker.deaths + 1 == died(worker, STEADY_SECONDS - 1).deaths


def test_one_that_somebody_told_to_drain_is_started_again_at_once():
    """That is no death, and those before it are forgotten."""
    worker = died(died(ready(Worker(), 0.0), 1.0), 1.0)
    again = ended(ready(worker, 0.0), 1.0, clean=True)
    assert ("again", 0, 0.0) == (again.state, again.deaths, again.delay)
