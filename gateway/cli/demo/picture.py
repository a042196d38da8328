"""How an act of the demo looks while it is played and once it is over."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.acts import ACTS, Act
from gateway.cli.demo.course import Course, Entry
from gateway.cli.demo.figures import ReleaseRow, answers_by_the_shadow, breach_of, release_rows
from gateway.cli.demo.policies import PLANS, ROUTE
from gateway.cli.demo.tally import Tally
from gateway.cli.rollout_text import standing_of_route
from gateway.cli.terminal import indented, line

STARTING = (line(("Pinion demo", "bold"), "  starting two simulated providers and a gateway"), "")

MOST_WRITTEN = 10_000_000
"""The highest e-value that is written out."""

PASSED = "every gate passed: "
"""How the gateway's reason for a step begins when nothing was left to wait for; what follows is told."""

TRACK_STYLES: Mapping[str, str] = {
    "stable": "green",
    "canary": "cyan",
    "shadow": "magenta",
    "replaced": "dim",
    "rolled back": "red",
}


def opening(act: Act) -> Iterator[RenderableType]:
    """Give the head of an act."""
    yield line(("Pinion demo", "bold"), f"  act {act.number} of {len(ACTS)}: ", (act.title, "bold cyan"))
    yield line(act.sentence)
    yield ""


def entered(act: Act, course: Course, entry: Entry) -> Iterator[RenderableType]:
    """Tell what a rollout has entered, and the gateway's reason."""
    yield _stamped(course, entry.at, *_what(act, course, entry))
    yield _beneath(line((entry.reason.removeprefix(PASSED), "dim")))


def befallen(act: Act, course: Course, at: float) -> Iterator[RenderableType]:
    """Tell what has befallen a release, at wall seconds."""
    yield _stamped(course, at, (act.befalls, "yellow"))


def scene(tally: Tally, course: Course | None, now: float) -> Iterator[RenderableType]:
    """Give what an act shows below what it has told, as of `now` in wall seconds."""
    if course is not None and course.waits:
        yield _beneath(Text(f"held: {course.waits}", style="yellow", no_wrap=True, overflow="ellipsis"))
    yield ""
    yield indented(releases(row for row in release_rows(tally, now) if row.release.startswith(f"{ROUTE}/")))
    yield ""
    harmed = sum(one.harmed for one in tally.answers)
    shadowed = sum(answers_by_the_shadow(tally, each, now) for each in tally.courses)
    yield indented(
        line(
            *("requests harmed so far: ", (str(harmed), "bold"), f" of {len(tally.answers):,}"),
            *("; answers of a shadow to anyone: ", (str(shadowed), "bold"), f" of {len(tally.copies)}"),
        )
    )


def explained(rollout: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Give of what `pinion explain --rollout` says where the rollout stands, and the evidence that its end rests on."""
    evidence = rollout["events"][0]["evidence"] or {}
    finding = breach_of(evidence)
    yield ""
    yield indented(line(("$ ", "dim"), f"pinion explain --rollout {rollout['route']}"))
    yield indented(standing_of_route(rollout))
    if finding is not None:
        yield indented(_sides(rollout, finding))
        yield indented(_bound(finding))
        yield indented(_e_value(finding))
    else:
        yield indented(line(_seen(evidence)))


def releases(rows: Iterable[ReleaseRow]) -> Table:
    """Make the table of releases, those of a route together."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    made.add_column("release", no_wrap=True)
    for heading in ("planned", "share", "requests", "copies", "errors", "p50", "USD/1000"):
        made.add_column(heading, justify="right", no_wrap=True)
    route = ""
    for row in rows:
        of, _, version = row.release.partition("/")
        if of != route:
            made.add_row(line((of, "bold")))
            route = of
        made.add_row(line(f"  {version} ", (row.track, TRACK_STYLES[row.track])), *_cells(row))
    return made


def _cells(row: ReleaseRow) -> Iterator[str]:
    per_thousand = row.cost_per_thousand_usd
    yield f"{row.planned_percent:g}%"
    yield "-" if row.measured_percent is None else f"{row.measured_percent:.1f}%"
    yield f"{row.requests:,}"
    yield f"{row.copies:,}"
    yield f"{row.errors:,}"
    yield "-" if row.p50_seconds is None else f"{row.p50_seconds * 1000:.0f} ms"
    yield "-" if per_thousand is None else f"{per_thousand:.3f}"


def _stamped(course: Course, at: float, *spans: str | tuple[str, str]) -> RenderableType:
    """A line with the seconds since its rollout began."""
    return indented(line((f"{at - course.entries[0].at:5.1f} s", "dim"), "  ", *spans))


def _beneath(part: RenderableType) -> Padding:
    """Set a part below the text of a line that has a stamp."""
    return Padding.indent(part, 11)


def _what(act: Act, course: Course, entry: Entry) -> Iterator[str | tuple[str, str]]:
    match entry.state:
        case "completed":
            yield f"completed: {course.release} is stable", "bold green"
        case "rolled_back":
            yield f"rolled back: {course.release} is out, weight {entry.percent:g}%", "bold red"
        case "shadow":
            steps = PLANS[act.plan]
            yield f"step 1 of {len(steps)}: ", "bold"
            yield f"{steps[0].percent}% of stable's requests are copied to {course.release}", "magenta"
        case state:
            yield f"step {(entry.step or 0) + 1} of {len(PLANS[act.plan])}: ", "bold"
            yield f"{entry.percent:g}% of the users get {course.release}", "cyan"
            yield ", bake" if state == "baking" else ""


def _sides(rollout: Mapping[str, Any], finding: Mapping[str, Any]) -> Table:
    """What a guardrail compared: both sides with their shares, outcomes and units."""
    criterion = finding["criterion"]
    over = f" over {criterion['over']:g} s" if criterion.get("over") is not None else ""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    made.add_column(f"{criterion['metric']}{over}", no_wrap=True)
    for heading in ("share", "outcomes", "units"):
        made.add_column(heading, justify="right", no_wrap=True)
    for side, version in (("stable", rollout["from"]), ("candidate", rollout["candidate"])):
        share = finding[side]
        made.add_row(
            line(f"{version} {side}"),
            "-" if share is None else f"{share:.1%}",
            f"{finding[f'{side}_n']:,}",
            f"{finding[f'{side}_units']:,}",
        )
    return made


def _bound(finding: Mapping[str, Any]) -> Text:
    bound, stable, candidate = finding["bound"], finding["stable"], finding["candidate"]
    worse = (candidate or 0.0) - (stable or 0.0)
    reach = "" if bound is None else f", at most {bound * 100:.1f} with 95 % confidence"
    return line("worse by ", (f"{worse * 100:.1f} points", "bold"), f"{reach}; allowed {finding['limit'] * 100:g}")


def _e_value(finding: Mapping[str, Any]) -> Text:
    if finding["e_value"] is None:
        return line(finding["rule"])
    return line("e-value ", (big(finding["e_value"]), "bold"), f" of {big(finding['threshold'])} needed to act")


def big(number: float) -> str:
    """Write a number that may be huge."""
    return f"{number:,.0f}" if number < MOST_WRITTEN else f"over {MOST_WRITTEN:,}"


def _seen(evidence: Mapping[str, Any]) -> str:
    """What a breaker had seen, or how the evidence is called where it is another's."""
    if "failures_in_a_row" not in evidence:
        return f"by {evidence.get('rule', 'nothing')}"
    window = f"within {evidence['window_seconds']:g} s: {evidence['requests']} requests"
    return f"{window}, {evidence['failed']} failed, {evidence['failures_in_a_row']} in a row"
