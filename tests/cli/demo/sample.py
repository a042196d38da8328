"""Samples of what the demo observes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway.cli.demo.course import Course, hear
from gateway.cli.demo.desk import Attempt
from gateway.cli.demo.figures import Figures, Trouble, measure
from gateway.cli.demo.policies import BREAKING, FIRST, SLOWING, SOUND, ReleaseName
from gateway.cli.demo.readings import Readings
from gateway.cli.demo.tally import Answer, Copy, Tally

ANSWER = Answer(
    user="ann",
    route=FIRST.route,
    release=FIRST.version,
    track="stable",
    model=FIRST.model,
    stream=False,
    asked_at=111.0,
    ended_at=111.25,
)
"""A whole answer of the first release."""

FINDING = {
    "kind": "guardrail",
    "criterion": {"metric": "slow_rate", "over": 0.7},
    "verdict": "breach",
    "stable": 0.005,
    "candidate": 0.2,
    "stable_n": 200,
    "candidate_n": 50,
    "stable_units": 180,
    "candidate_units": 45,
    "bound": 0.31,
    "limit_name": "max_delta",
    "limit": 0.08,
    "e_value": 412.4,
    "threshold": 40.0,
    "rule": "worse beyond chance (e-value 412 of 40 needed) and 19.5 points above stable, 8.0 allowed",
}
"""A guardrail that is breached."""

KEPT = {**FINDING, "criterion": {"metric": "error_rate", "over": None}, "verdict": "within"}

TRIPPED = {"rule": "consecutive", "window_seconds": 30.0, "requests": 54, "failed": 3, "failures_in_a_row": 3}
"""What a breaker's rollback rests on."""

ATTEMPTS = [Attempt(178.2, 178.25, failed=False), *(Attempt(at, at + 0.01, failed=True) for at in (178.5, 179, 179.9))]

PLANS = {SOUND.version: "careful", SLOWING.version: "brisk", BREAKING.version: "brisk"}
TROUBLES = {SLOWING.version: Trouble(141.0), BREAKING.version: Trouble(178.0, ATTEMPTS)}


def answer(user: str, **over: Any) -> Answer:
    """The sample answer, to another user and with these fields."""
    return replace(ANSWER, user=user, **over)


def at(user: str, asked_at: float, release: ReleaseName, **over: Any) -> Answer:
    """An answer of a release a quarter of a second after it was asked for."""
    told = {"asked_at": asked_at, "ended_at": asked_at + 0.25, "release": release.version, "model": release.model}
    return answer(user, **{**told, **over})


def event(name: str, when: float, candidate: ReleaseName, stable: ReleaseName, **over: Any) -> dict[str, Any]:
    """A line of the gateway's log about a rollout, named after its candidate."""
    return {
        "event": name,
        "timestamp": datetime.fromtimestamp(when, UTC).isoformat(),
        "release": candidate.version,
        "stable": stable.version,
        "rollout": f"to-{candidate.version}",
        "state": "running",
        "step": 2,
        "weight_ppm": 0,
        "reason": "every gate passed: lasted 2s, 40 requests of 40 units",
        "evidence": None,
        **over,
    }


def log() -> list[dict[str, Any]]:
    """Three rollouts: one that is completed, one that a guardrail ends and one that the breaker ends."""
    shadow = {"state": "shadow", "step": 1, "reason": "the serve: line was changed"}
    back = {"state": "rolled_back"}
    return [
        event("rollout_start", 100.0, SOUND, FIRST, **shadow),
        event("rollout_advance", 110.0, SOUND, FIRST, weight_ppm=50_000),
        event("rollout_hold", 115.0, SOUND, FIRST, state="held", weight_ppm=50_000, reason="8 of 30 requests"),
        event("rollout_clear", 116.0, SOUND, FIRST, weight_ppm=50_000, reason="nothing holds it any more"),
        event("rollout_advance", 120.0, SOUND, FIRST, state="completed", step=2, weight_ppm=1_000_000),
        event("rollout_start", 130.0, SLOWING, SOUND, **shadow),
        event("rollout_advance", 140.0, SLOWING, SOUND, weight_ppm=250_000),
        event(
            *("rollback", 150.0, SLOWING, SOUND),
            **back,
            reason=f"guardrail: slow_rate: {FINDING['rule']}",
            evidence={"rule": "guardrail", "findings": [KEPT, FINDING]},
        ),
        event("rollout_start", 160.0, BREAKING, SOUND, **shadow),
        event("rollout_advance", 170.0, BREAKING, SOUND, weight_ppm=250_000),
        event(
            *("rollback", 180.0, BREAKING, SOUND),
            **back,
            reason="consecutive: 3 requests failed in a row, and the limit is 3",
            evidence=TRIPPED,
        ),
    ]


def courses() -> list[Course]:
    """The rollouts that the log tells."""
    told: list[Course] = []
    for line in log():
        hear(told, line)
    return told


def tally() -> Tally:
    """A good run of these three rollouts."""
    answers = [at(f"user-{number}", 101.0 + number, FIRST) for number in range(4)]
    answers += [at(f"user-{number}", 111.0, FIRST) for number in range(19)]
    answers.append(at("cleo", 111.0, SOUND, track="canary"))
    for began, candidate in ((130.0, SLOWING), (160.0, BREAKING)):
        answers += [at("cleo", began + 1, SOUND), at("dora", began + 2, SOUND)]
        answers += [at(f"user-{number}", began + 11, SOUND) for number in range(3)]
        answers += [at("dora", began + 11, candidate, track="canary"), at("dora", began + 21, SOUND)]
    answers.append(at("dora", 179.0, SOUND, track="fallback"))
    copies = [Copy(name.version, "ok", 0.1) for name in (SOUND, SOUND, SLOWING, BREAKING)]
    costs = {(one.route, one.version): 0.25 for one in (FIRST, SOUND)}
    readings = Readings(costs, {(SOUND.route, SOUND.version): 0.125}, {"helpdesk": 0.5})
    return Tally(answers, copies, courses(), readings)


def figures(**over: Any) -> Figures:
    """The figures of that run, or others."""
    return replace(measure(tally(), PLANS, TROUBLES, 90.0, 190.0), **over)
