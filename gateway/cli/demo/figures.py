"""The figures of the demo: what was measured, and what of it must hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from gateway.cli.demo.desk import Attempt
from gateway.cli.demo.policies import (
    CANARY,
    CANARY_PERCENT,
    RELEASES,
    SHADOW,
    SHADOW_PERCENT,
    STABLE,
    SUMMARIES,
    ReleaseName,
)
from gateway.cli.demo.tally import Answer, Tally, changed_release, latest_releases, p50, users_of

STANDARD_DEVIATIONS = 4
"""A fair split misses its percentage by more once in 16,000 sets of users."""

LATE_SECONDS = 1.0
"""How long after the rollback an attempt that was on its way may still reach the canary."""

MODELS: Mapping[tuple[str, str | None], str] = {(one.route, one.version): one.model for one in RELEASES}


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release in figures: percent of its route's users, as planned and as measured, and what its callers saw.

    The shadow's are percent of stable's requests; its requests are copies, its errors the failed ones.
    """

    release: str
    track: str
    planned_percent: float
    measured_percent: float | None
    requests: int
    errors: int
    p50_seconds: float | None
    cost_usd: float

    @property
    def cost_per_thousand_usd(self) -> float | None:
        """What a thousand requests cost."""
        return self.cost_usd / self.requests * 1000 if self.requests else None


@dataclass(frozen=True, slots=True)
class Moments:
    """When things happened, in wall seconds."""

    began: float
    broken: float
    rolled_back: float
    ended: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a whole run measured. `before` is before the rollback; users and their shares are the canary's route's."""

    seconds: float
    requests: int
    streams: int
    releases: tuple[ReleaseRow, ...]
    requests_before: int
    users: int
    canary_users: int
    canary_requests_before: int
    users_that_changed_release: int
    users_moved_by_the_rollback: int
    requests_harmed_before: int
    requests_harmed: int
    streams_cut: int
    attempts_judged: int
    attempts_failed: int
    late_attempts: int
    seconds_to_rollback: float
    seconds_from_the_fault: float
    answers_by_another_model: int
    copies: int
    answers_by_the_shadow: int
    first_fault: str


def release_rows(tally: Tally, weights_ppm: Mapping[tuple[str, str], float], until: float) -> tuple[ReleaseRow, ...]:
    """Put each release in figures; users count to releases by answers before `until`, in wall seconds."""
    return (
        _row(tally, STABLE, "stable", weights_ppm, until),
        _row(tally, CANARY, "canary", weights_ppm, until),
        _shadow_row(tally),
        _row(tally, SUMMARIES, "stable", weights_ppm, until),
    )


def measure(tally: Tally, attempts: Sequence[Attempt], judged: int, moments: Moments) -> Figures:
    """Measure a whole run.

    `attempts` are those that reached the canary's model after its fault began; `judged` of the failed ones were
    evidence for the rollback, the others waited for stable's answer to the same request.
    """
    weights = {
        (STABLE.route, STABLE.version): 1e6 - CANARY_PERCENT * 1e4,
        (CANARY.route, CANARY.version): CANARY_PERCENT * 1e4,
        (SUMMARIES.route, SUMMARIES.version): 1e6,
    }
    route = [one for one in tally.answers if one.route == STABLE.route]
    before = [one for one in route if one.ended_at < moments.rolled_back]  # asked before it may still be decided after
    after = [one for one in route if one.ended_at >= moments.rolled_back]
    placed = latest_releases(before)
    of_canary = {user for user, release in placed.items() if release == CANARY.version}
    harmed = [one for one in tally.answers if one.harmed]
    failed = [one for one in attempts if one.failed]
    first_failed = min((one.finished for one in failed), default=moments.broken)
    return Figures(
        seconds=moments.ended - moments.began,
        requests=len(tally.answers),
        streams=sum(one.stream for one in tally.answers),
        releases=release_rows(tally, weights, moments.rolled_back),
        requests_before=len(before),
        users=len(placed),
        canary_users=len(of_canary),
        canary_requests_before=sum(one.track in ("canary", "fallback") for one in before),
        users_that_changed_release=len(changed_release(before)),
        users_moved_by_the_rollback=len(of_canary & users_of(one for one in after if one.release == STABLE.version)),
        requests_harmed_before=sum(one.asked_at < moments.rolled_back for one in harmed),
        requests_harmed=len(harmed),
        streams_cut=sum(one.ending == "cut" for one in harmed),
        attempts_judged=judged,
        attempts_failed=len(failed),
        late_attempts=sum(one.started > moments.rolled_back + LATE_SECONDS for one in attempts),
        seconds_to_rollback=max(0.0, moments.rolled_back - first_failed),
        seconds_from_the_fault=moments.rolled_back - moments.broken,
        answers_by_another_model=sum(one.model != MODELS.get((one.route, one.release)) for one in _whole(tally)),
        copies=len(tally.copies),
        answers_by_the_shadow=len(tally.of(SHADOW)),
        first_fault=next((one.fault for one in harmed), ""),
    )


def broken_promises(figures: Figures) -> Iterator[str]:
    """Give a sentence for each figure that must hold and does not."""
    must_be_zero = {
        "users changed release before the rollback": figures.users_that_changed_release,
        f"requests were harmed (the first: {figures.first_fault})": figures.requests_harmed,
        "streams were cut": figures.streams_cut,
        "answers came from another model than pinned": figures.answers_by_another_model,
        "answers of the shadow reached a caller": figures.answers_by_the_shadow,
        "attempts reached the canary later than a second after the rollback": figures.late_attempts,
    }
    for what, count in must_be_zero.items():
        if count:
            yield f"{count} {what}, and it must be none"
    expected = figures.users * CANARY_PERCENT / 100
    allowed = STANDARD_DEVIATIONS * sqrt(expected * (1 - CANARY_PERCENT / 100))
    if abs(figures.canary_users - expected) > allowed:
        yield f"{figures.canary_users} of {figures.users} users got the canary, and it must be {CANARY_PERCENT} percent"
    if not figures.copies:
        yield "the shadow got no requests, and it must"


def _row(
    tally: Tally, name: ReleaseName, track: str, weights_ppm: Mapping[tuple[str, str], float], until: float
) -> ReleaseRow:
    own = tally.of(name)
    users = latest_releases(one for one in tally.answers if one.route == name.route and one.ended_at < until)
    return ReleaseRow(
        release=str(name),
        track=track,
        planned_percent=weights_ppm.get((name.route, name.version), 0) / 10_000,
        measured_percent=_percent(sum(release == name.version for release in users.values()), len(users)),
        requests=len(own),
        errors=sum(one.harmed for one in own),
        p50_seconds=p50(one.seconds for one in own if not one.harmed),
        cost_usd=tally.readings.costs.get((name.route, name.version), 0.0),
    )


def _shadow_row(tally: Tally) -> ReleaseRow:
    stands = tally.shadowed_at is not None
    sampled_of = sum(one.asked_at >= (tally.shadowed_at or 0) for one in tally.of(STABLE))
    return ReleaseRow(
        release=str(SHADOW),
        track="shadow",
        planned_percent=SHADOW_PERCENT if stands else 0,
        measured_percent=_percent(len(tally.copies), sampled_of) if stands else None,
        requests=len(tally.copies),
        errors=sum(one.outcome != "ok" for one in tally.copies),
        p50_seconds=p50(one.seconds for one in tally.copies if one.outcome == "ok"),
        cost_usd=tally.readings.costs.get((SHADOW.route, SHADOW.version), 0.0),
    )


def _whole(tally: Tally) -> list[Answer]:
    return [one for one in tally.answers if not one.harmed]


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
