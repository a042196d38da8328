"""What must hold of the demo's figures."""

from collections.abc import Iterator, Mapping
from math import sqrt

from gateway.cli.demo.figures import Figures, RolloutFigures, StepRow
from gateway.cli.demo.policies import BREAKING, SLOWING, SOUND

STANDARD_DEVIATIONS = 4
"""A fair split misses its percentage by more once in 16,000 sets of users."""

BREAKER_RULES = ("consecutive", "failure_rate", "cusum")

COST_TOLERANCE_USD = 1e-6


def broken_promises(figures: Figures) -> Iterator[str]:
    """Give a sentence for each figure that must hold and does not."""
    must_be_zero = {
        "users changed release without a step or a rollback": figures.users_that_changed_release,
        f"requests were harmed (the first: {figures.first_fault})": figures.requests_harmed,
        "streams were cut": figures.streams_cut,
        "answers came from another model than pinned": figures.answers_by_another_model,
        "answers of a shadow reached a caller": figures.answers_by_a_shadow,
        "attempts reached a release later than a second after its rollback": figures.late_attempts,
    }
    for what, count in must_be_zero.items():
        if count:
            yield f"{count} {what}, and it must be none"
    answers_usd = sum(row.cost_usd for row in figures.releases)
    if abs(figures.app_usd - answers_usd) > COST_TOLERANCE_USD:
        yield f"applications pay {figures.app_usd:.6f} USD and answers cost {answers_usd:.6f}, and it must be the same"
    for rollout in figures.rollouts:
        yield from _of_rollout(rollout)


def _of_rollout(rollout: RolloutFigures) -> Iterator[str]:
    ended = f"{rollout.state.replace('_', ' ')}{f' by {rollout.rule}' if rollout.rule else ''}"
    expected, holds = EXPECTED[rollout.release]
    if (rollout.state, rollout.rule) not in holds:
        yield f"{rollout.release} is {ended}, and it must be {expected}"
    for step in rollout.steps:
        yield from _of_step(rollout, step)


def _of_step(rollout: RolloutFigures, step: StepRow) -> Iterator[str]:
    planned = step.planned_percent / 100
    allowed = STANDARD_DEVIATIONS * sqrt(planned * (1 - planned) / max(1, step.compared)) * 100
    if step.compared and abs((step.measured_percent or 0.0) - step.planned_percent) > allowed:
        told = f"{rollout.release} got {step.measured_percent:.1f}% of {step.compared} in step {step.step}"
        yield f"{told}, and it must be as planned"


EXPECTED: Mapping[str, tuple[str, frozenset[tuple[str, str]]]] = {
    SOUND.version: ("completed", frozenset({("completed", "")})),
    SLOWING.version: ("rolled back by its guardrail", frozenset({("rolled_back", "guardrail")})),
    BREAKING.version: ("rolled back by its breaker", frozenset(("rolled_back", rule) for rule in BREAKER_RULES)),
}
"""How each release's rollout must end: in words, and as state and rule."""
