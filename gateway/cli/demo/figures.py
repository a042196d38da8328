"""The figures of the demo: what was measured, by release, by rollout, and of the whole run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.cli.demo.course import Course, Span
from gateway.cli.demo.desk import Attempt
from gateway.cli.demo.policies import PLANS, RELEASES, ROUTE, SUMMARIES, PlanStep, ReleaseName
from gateway.cli.demo.tally import Tally, p50, placed, unsteady_users, users_of

LATE_SECONDS = 1.0
"""How long after a rollback an attempt that was on its way may still reach the release."""

MODELS: Mapping[tuple[str, str | None], str] = {(one.route, one.version): one.model for one in RELEASES}


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release in figures: what it is now, percent of its route's users as planned and as measured, what callers saw.

    Of a release that was rolled back the percentages are those of its last step with users. `requests`, `errors`,
    `p50_seconds` and `cost_usd` are those of answers; `copies` and `copies_usd` are apart.
    """

    release: str
    track: str
    planned_percent: float
    measured_percent: float | None
    requests: int
    copies: int
    errors: int
    p50_seconds: float | None
    cost_usd: float
    copies_usd: float

    @property
    def cost_per_thousand_usd(self) -> float | None:
        """What a thousand answers cost."""
        return self.cost_usd / self.requests * 1000 if self.requests else None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a rollout in figures.

    The percentages are of the users who asked in it, in a shadow step of stable's requests; `compared` is how many
    users or requests those are. `requests` are the candidate's, in a shadow step the copies; `reason` is why the
    gateway entered the step.
    """

    step: str
    seconds: float
    planned_percent: float
    measured_percent: float | None
    compared: int
    requests: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befell a release: since when, in wall seconds, and the attempts that have reached it from then on."""

    at: float
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True, slots=True)
class RolloutFigures:
    """One rollout, measured.

    `state`, `rule` and `reason` are how it ended, in the gateway's words; `finding` is the guardrail that did it.
    The seconds count to its end: from the trouble, and from the end of the first attempt that failed by it; None where
    there was none. `attempts_judged` of the failed ones were evidence for the rollback.
    """

    release: str
    stable: str
    plan: str
    state: str
    rule: str
    reason: str
    seconds: float
    steps: tuple[StepRow, ...]
    finding: Mapping[str, Any] | None
    users_moved_by_the_rollback: int
    attempts_judged: int
    attempts_failed: int
    late_attempts: int
    seconds_from_the_first_failed: float | None
    seconds_from_the_trouble: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a whole run measured. Users are those of the route that the rollouts are on."""

    seconds: float
    requests: int
    streams: int
    users: int
    releases: tuple[ReleaseRow, ...]
    rollouts: tuple[RolloutFigures, ...]
    users_that_changed_release: int
    requests_harmed: int
    streams_cut: int
    late_attempts: int
    answers_by_another_model: int
    copies: int
    answers_by_a_shadow: int
    copies_usd: float
    app_usd: float
    first_fault: str


def measure(
    tally: Tally, plans: Mapping[str, str], troubles: Mapping[str, Trouble], began: float, ended: float
) -> Figures:
    """Measure a whole run; `plans` and `troubles` are by version, times in wall seconds."""
    rollouts = tuple(
        _rollout(tally, course, plans[course.release], troubles.get(course.release), ended) for course in tally.courses
    )
    on_route = [one for one in tally.answers if one.route == ROUTE]
    unsteady = (unsteady_users(on_route, course, _until(tally, course, ended)) for course in tally.courses)
    harmed = [one for one in tally.answers if one.harmed]
    return Figures(
        seconds=ended - began,
        requests=len(tally.answers),
        streams=sum(one.stream for one in tally.answers),
        users=len(users_of(on_route)),
        releases=release_rows(tally, ended),
        rollouts=rollouts,
        users_that_changed_release=len(set().union(*unsteady)),
        requests_harmed=len(harmed),
        streams_cut=sum(one.ending == "cut" for one in harmed),
        late_attempts=sum(one.late_attempts for one in rollouts),
        answers_by_another_model=sum(
            one.model != MODELS.get((one.route, one.release)) for one in tally.answers if not one.harmed
        ),
        copies=len(tally.copies),
        answers_by_a_shadow=sum(answers_by_the_shadow(tally, course, ended) for course in tally.courses),
        copies_usd=sum(tally.readings.copies.values()),
        app_usd=sum(tally.readings.app_costs.values()),
        first_fault=next((one.fault for one in harmed), ""),
    )


def release_rows(tally: Tally, now: float) -> tuple[ReleaseRow, ...]:
    """Put each release that has had something to do in figures, as of `now`, in wall seconds."""
    met = {tally.stable, *(name for course in tally.courses for name in (course.stable, course.release))}
    return tuple(_release(tally, one, now) for one in RELEASES if one.route != ROUTE or one.version in met)


def answers_by_the_shadow(tally: Tally, course: Course, now: float) -> int:
    """Count the answers by a candidate that came while it got copies alone.

    What was asked then and answered later may have been decided later, too.
    """
    spans = [span for span in course.spans(now) if span.entry.state == "shadow"]
    answers = [one for one in tally.answers if (one.route, one.release) == (ROUTE, course.release)]
    return sum(any(span.holds(one.asked_at) and span.holds(one.ended_at) for span in spans) for one in answers)


def breach_of(evidence: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the finding that an end rests on, where a guardrail was breached."""
    return next((one for one in evidence.get("findings", ()) if one["verdict"] == "breach"), None)


def _rollout(tally: Tally, course: Course, plan: str, trouble: Trouble | None, now: float) -> RolloutFigures:
    end = course.end
    evidence = {} if end is None else end.evidence
    is_back = end is not None and end.state == "rolled_back"
    over = now if end is None else end.at
    attempts = () if trouble is None else trouble.attempts
    failed = [one for one in attempts if one.failed]
    return RolloutFigures(
        release=course.release,
        stable=course.stable,
        plan=plan,
        state="open" if end is None else end.state,
        rule=evidence.get("rule", ""),
        reason="" if end is None else end.reason,
        seconds=over - course.entries[0].at,
        steps=tuple(_step(tally, course, span, PLANS[plan]) for span in course.spans(now)),
        finding=breach_of(evidence),
        users_moved_by_the_rollback=_moved(tally, course, over) if is_back else 0,
        attempts_judged=evidence.get("failed", 0) if failed else 0,
        attempts_failed=len(failed),
        late_attempts=sum(one.started > over + LATE_SECONDS for one in attempts) if is_back else 0,
        seconds_from_the_first_failed=max(0.0, over - min(one.finished for one in failed)) if failed else None,
        seconds_from_the_trouble=None if trouble is None else over - trouble.at,
    )


def _step(tally: Tally, course: Course, span: Span, plan: Sequence[PlanStep]) -> StepRow:
    asked = [one for one in tally.answers if one.route == ROUTE and span.holds(one.asked_at)]
    step = plan[span.entry.step or 0]
    if step.kind == "shadow":
        requests = sum(one.release == course.release for one in tally.copies)
        of_candidate, compared = requests, len(asked)
    else:
        users = placed(asked, course.release)
        requests = sum(one.release == course.release or one.track == "fallback" for one in asked)
        of_candidate, compared = sum(one == course.release for one in users.values()), len(users)
    return StepRow(
        step=str(step),
        seconds=span.until - span.entry.at,
        planned_percent=step.percent,
        measured_percent=_percent(of_candidate, compared),
        compared=compared,
        requests=requests,
        reason=span.entry.reason,
    )


def _moved(tally: Tally, course: Course, at: float) -> int:
    """Count the users of a candidate who got stable in answers that were asked for after its rollback at `at`."""
    began = course.entries[0].at
    on_route = [one for one in tally.answers if one.route == ROUTE and one.asked_at >= began]
    had = {one.user for one in on_route if one.release == course.release or one.track == "fallback"}
    return len(had & users_of(one for one in on_route if one.asked_at > at and one.release == course.stable))


def _release(tally: Tally, name: ReleaseName, now: float) -> ReleaseRow:
    own, key = tally.of(name), (name.route, name.version)
    copies = [one for one in tally.copies if name.route == ROUTE and one.release == name.version]
    track, planned, span = _standing(tally, name, now)
    began, until = span
    asked = [one for one in tally.answers if one.route == name.route and began <= one.asked_at < until]
    users = placed(asked, tally.courses[-1].release if tally.courses and name.route == ROUTE else "")
    return ReleaseRow(
        release=str(name),
        track=track,
        planned_percent=planned,
        measured_percent=_percent(sum(one == name.version for one in users.values()), len(users)),
        requests=len(own),
        copies=len(copies),
        errors=sum(one.harmed for one in own),
        p50_seconds=p50(one.seconds for one in own if not one.harmed),
        cost_usd=tally.readings.costs.get(key, 0.0),
        copies_usd=tally.readings.copies.get(key, 0.0),
    )


def _standing(tally: Tally, name: ReleaseName, now: float) -> tuple[str, float, tuple[float, float]]:
    """Say what a release is now, its planned percentage, and the time to measure that in."""
    if name.route == SUMMARIES.route or not tally.courses:
        return "stable", 100.0, (0.0, now)
    latest, own = tally.courses[-1], tally.course_of(name.version)
    entry = latest.entries[-1]
    whole = (entry.at, now)
    if own is not None and own.end is None:
        return "shadow" if entry.state == "shadow" else "canary", entry.percent, whole
    if own is not None and own.end is not None and own.end.state == "rolled_back":
        spans = [span for span in own.spans(now) if span.entry.percent]
        last = spans[-1] if spans else Span(entry, now)
        return "rolled back", last.entry.percent if spans else 0.0, (last.entry.at, last.until)
    if name.version == tally.stable:
        return "stable", 100.0 - (0.0 if latest.end is not None else entry.percent), whole
    return "replaced", 0.0, whole


def _until(tally: Tally, course: Course, now: float) -> float:
    """Give when the next rollout began, or `now`."""
    after = tally.courses[tally.courses.index(course) + 1 :]
    return after[0].entries[0].at if after else now


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
