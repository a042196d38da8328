"""When a worker that has ended is started again, and when that is given up.

The law, by what a worker is and what happens to it:

    what it is   ready      ended      stopped
    first        ready      given_up   draining    it has not been ready yet, and nobody has been promised anything
    ready        ready      again      draining    another process may have replaced the one that was ready
    again        ready      again      draining    it has been ready before, and is to be
    draining     draining   gone       draining
    gone         .          .          gone        it ended as it was told to
    given_up     .          .          given_up    it cannot start: whoever started the gateway is there to hear it

An event without an entry raises. A worker that dies is started again at once; one that dies again, before it has been
ready for `STEADY_SECONDS`, after a delay that doubles up to a limit and never ends: the others serve meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["first", "ready", "again", "draining", "gone", "given_up"]

STEADY_SECONDS = 60.0
"""A worker that was ready for so long is steady: its death counts as the first."""

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0

MOVES: Mapping[tuple[State, str], State] = {
    ("first", "ready"): "ready",
    ("first", "ended"): "given_up",
    ("first", "stopped"): "draining",
    ("ready", "ready"): "ready",
    ("ready", "ended"): "again",
    ("ready", "stopped"): "draining",
    ("again", "ready"): "ready",
    ("again", "ended"): "again",
    ("again", "stopped"): "draining",
    ("draining", "ready"): "draining",
    ("draining", "ended"): "gone",
    ("draining", "stopped"): "draining",
    ("gone", "stopped"): "gone",
    ("given_up", "stopped"): "given_up",
}


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker, whichever process it is by now. `since` is when it got ready last, `deaths` how many in a row."""

    state: State = "first"
    since: float = 0.0
    deaths: int = 0

    @property
    def delay(self) -> float:
        """How many seconds from its end it is started again."""
        return 0.0 if self.deaths < 2 else min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self.deaths - 2, 32))


def ready(worker: Worker, now: float) -> Worker:
    """A worker that takes requests, at monotonic `now`. Raises KeyError: it is over."""
    return replace(worker, state=MOVES[worker.state, "ready"], since=now)


def ended(worker: Worker, now: float, *, clean: bool) -> Worker:
    """A worker whose process has ended at monotonic `now`; `clean` says that it drained, as somebody told it alone to.

    Raises KeyError: it was over.
    """
    if worker.state != "ready":
        deaths = worker.deaths + 1
    elif clean:
        deaths = 0
    else:
        deaths = 1 if now - worker.since >= STEADY_SECONDS else worker.deaths + 1
    return replace(worker, state=MOVES[worker.state, "ended"], deaths=deaths)


def stopped(worker: Worker) -> Worker:
    """A worker that is not started again once it has ended."""
    return replace(worker, state=MOVES[worker.state, "stopped"])
