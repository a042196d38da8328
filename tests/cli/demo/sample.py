"""Samples of what the demo observes."""

from dataclasses import replace
from typing import Any

from gateway.cli.demo.desk import Attempt
from gateway.cli.demo.figures import Figures, Moments, measure
from gateway.cli.demo.policies import CANARY, STABLE
from gateway.cli.demo.readings import Readings
from gateway.cli.demo.tally import Answer, Copy, Tally

ANSWER = Answer(
    user="ann",
    route=STABLE.route,
    release=STABLE.version,
    track="stable",
    model=STABLE.model,
    stream=False,
    asked_at=100.0,
    ended_at=100.25,
)
"""A whole answer of the stable release."""

OF_CANARY = replace(ANSWER, user="cleo", release=CANARY.version, track="canary", model=CANARY.model)

MOMENTS = Moments(began=90.0, broken=110.0, rolled_back=111.5, ended=120.0)

ATTEMPTS = [Attempt(110.2, 110.25, failed=False), *(Attempt(at, at + 0.01, failed=True) for at in (110.5, 111, 111.4))]


def answer(user: str, **over: Any) -> Answer:
    """The sample answer, to another user and with these fields."""
    return replace(ANSWER, user=user, **over)


def _at(user: str, asked_at: float, **over: Any) -> Answer:
    return answer(user, asked_at=asked_at, ended_at=asked_at + 0.25, **over)


def tally() -> Tally:
    """A good run: 19 users of stable, one of the canary, for whom stable stood in and whom the rollback moved."""
    answers = [answer(f"user-{number}") for number in range(19)]
    answers += [OF_CANARY, _at("cleo", 111.0, track="fallback"), _at("cleo", 115.0)]
    costs = {(STABLE.route, STABLE.version): 0.5, (CANARY.route, CANARY.version): 0.01}
    return Tally(answers, [Copy("ok", 0.1), Copy("failed", 0.2)], Readings(costs=costs), shadowed_at=100.0)


def figures(**over: Any) -> Figures:
    """The figures of that run, or others."""
    return replace(measure(tally(), ATTEMPTS, 3, MOMENTS), **over)
