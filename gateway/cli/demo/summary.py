"""The demo's last screen: what a whole run measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.figures import Figures, RolloutFigures
from gateway.cli.demo.picture import big, releases
from gateway.cli.terminal import counted, facts, indented, line

END_STYLES = {"completed": "green", "rolled_back": "red"}


def summary(figures: Figures, problems: Sequence[str]) -> Iterator[RenderableType]:
    """Give the measured figures of a whole run, and whether those hold that must."""
    yield line(
        ("Pinion demo", "bold"),
        f"  {figures.requests:,} requests of both SDKs in {figures.seconds:.0f} s, {figures.streams:,} streamed",
    )
    yield ""
    yield indented(releases(figures.releases))
    yield ""
    yield indented(_rollouts(figures.rollouts))
    yield ""
    told = [*_rollbacks(figures.rollouts), *_measured(figures)]
    yield indented(facts((name, _told(said)) for name, said in told))
    yield ""
    yield from (line((problem, "bold red")) for problem in problems)
    if not problems:
        yield line(("Every figure that must hold holds.", "bold green"))


def _rollouts(rollouts: Sequence[RolloutFigures]) -> Table:
    """Make the table of rollouts: what each step got as measured, under what was planned."""
    planned = list(dict.fromkeys(step.step for rollout in rollouts for step in rollout.steps))
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    made.add_column("rollout", no_wrap=True)
    for step in planned:
        made.add_column(step, justify="right", no_wrap=True)
    made.add_column(" end", no_wrap=True)
    for rollout in rollouts:
        measured = {step.step: step.measured_percent for step in rollout.steps}
        shares = (measured.get(step) for step in planned)
        end = f" {rollout.state.replace('_', ' ')} after {rollout.seconds:.1f} s", END_STYLES.get(rollout.state, "")
        made.add_row(
            f"{rollout.stable} to {rollout.release}",
            *("-" if share is None else f"{share:.1f}%" for share in shares),
            line(end),
        )
    return made


def _rollbacks(rollouts: Iterable[RolloutFigures]) -> Iterator[tuple[str, str]]:
    for rollout in rollouts:
        if rollout.seconds_from_the_trouble is None or rollout.state != "rolled_back":
            continue
        whose = "guardrail" if rollout.rule == "guardrail" else "breaker"
        moved = counted(rollout.users_moved_by_the_rollback, "user")
        since = f"{rollout.seconds_from_the_trouble:.2f} s after the fault"
        yield f"{rollout.release} out by {whose}", f"{since}; {moved} moved to stable"
        if rollout.finding is not None:
            yield from _found(rollout.finding)
        if rollout.seconds_from_the_first_failed is not None:
            under_way = rollout.attempts_failed - rollout.attempts_judged
            attempts = f"{rollout.attempts_judged} attempts judged, {under_way} under way then"
            yield "  from the first failed", f"{rollout.seconds_from_the_first_failed:.2f} s; {attempts}"


def _found(finding: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Both sides of a finding, and its e-value."""
    candidate, stable = (f"{finding[side] or 0.0:.1%} of {finding[f'{side}_n']:,}" for side in ("candidate", "stable"))
    yield (
        f"  by its {finding['criterion']['metric']}",
        f"{candidate} against {stable}, {finding['limit'] * 100:g} points allowed",
    )
    if finding["e_value"] is not None:
        yield "  with an e-value", f"{big(finding['e_value'])} of {big(finding['threshold'])} needed"


def _measured(figures: Figures) -> Iterator[tuple[str, str]]:
    changed = f"{figures.users_that_changed_release} of {figures.users}"
    yield "requests harmed", f"{figures.requests_harmed} of {figures.requests:,}, with the SDKs' own retries off"
    yield "streams cut", f"{figures.streams_cut} of {figures.streams:,}"
    yield "changed their release", f"{changed} users, but by a step or a rollback"
    yield "attempts after rollback", f"{figures.late_attempts} later than a second"
    yield "answers by another model", f"{figures.answers_by_another_model} than their release pins"
    yield "answers by a shadow", f"{figures.answers_by_a_shadow} to anyone, from {figures.copies:,} copies"
    yield "applications pay", f"{figures.app_usd:.4f} USD for answers; the copies' {figures.copies_usd:.4f} apart"


def _told(told: str) -> Text:
    """Set a figure's number apart from what it says."""
    number, blank, rest = told.partition(" ")
    return line((number, "bold"), blank + rest)
