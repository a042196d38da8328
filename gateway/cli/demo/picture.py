"""How the demo looks: an act while it is played and once it is over, and the summary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.figures import Figures, ReleaseRow
from gateway.cli.demo.policies import APPS, CANARY, CANARY_PERCENT, ROUTE, SHADOW, SHADOW_PERCENT
from gateway.cli.demo.tally import Tally, changed_release, users_of
from gateway.cli.rollout_text import latest_move, standing_of_route
from gateway.cli.terminal import facts, indented, line, share

LAST_EVENTS = 4

STARTING = (line(("Pinion demo", "bold"), "  starting two simulated providers and a gateway"), "")


@dataclass(frozen=True, slots=True)
class Act:
    """A part of the demo."""

    number: int
    title: str
    sentence: str


STICKY = Act(
    1,
    f"a sticky {CANARY_PERCENT}% canary",
    f"{CANARY_PERCENT}% of the users of {ROUTE} get {CANARY.version}; everyone keeps the same release.",
)
MIRRORED = Act(
    2,
    "a mirrored shadow",
    f"A changed policy file: {SHADOW.version} gets a copy of {SHADOW_PERCENT}% of stable's requests.",
)
FAILING = Act(
    3,
    "the canary turns bad",
    f"The provider of {CANARY.version} now answers 503 or breaks off; the gateway acts by itself.",
)


def opening(act: Act) -> Iterator[RenderableType]:
    """Give the head of an act."""
    yield line(("Pinion demo", "bold"), f"  act {act.number} of 3: ", (act.title, "bold cyan"))
    yield line(act.sentence)
    yield ""


def scene(
    act: Act, tally: Tally, rows: Sequence[ReleaseRow], events: Sequence[Mapping[str, Any]]
) -> Iterator[RenderableType]:
    """Give what an act shows below its head; `events` are the gateway's of this act."""
    yield indented(releases(rows))
    yield ""
    yield from (indented(told) for told in NOTES[act.number](tally))
    yield from (indented(_event(event)) for event in events[-LAST_EVENTS:])


def explained(rollout: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Give what `pinion explain --rollout` says first: where the rollout stands, and why."""
    yield indented(line(("$ ", "dim"), f"pinion explain --rollout {rollout['route']}"))
    yield indented(standing_of_route(rollout))
    yield indented(line(latest_move(rollout)))


def releases(rows: Iterable[ReleaseRow]) -> Table:
    """Make the table of releases, those of a route together."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    made.add_column("release", no_wrap=True)
    for heading in ("planned", "share", "requests", "errors", "p50", "cost USD", "per 1000"):
        made.add_column(heading, justify="right", no_wrap=True)
    route = ""
    for row in rows:
        of, _, version = row.release.partition("/")
        if of != route:
            made.add_row(line((of, "bold")))
            route = of
        made.add_row(line(f"  {version} ", (row.track, TRACK_STYLES[row.track])), *_cells(row))
    return made


def summary(figures: Figures, problems: Sequence[str]) -> Iterator[RenderableType]:
    """Give the measured figures of a whole run, and whether those hold that must."""
    yield line(
        ("Pinion demo", "bold"),
        f"  {figures.requests:,} requests of both SDKs in {figures.seconds:.0f} s, {figures.streams:,} streamed",
    )
    yield ""
    yield indented(releases(figures.releases))
    yield ""
    yield indented(facts((name, _told(told)) for name, told in _measured(figures).items()))
    yield ""
    yield from (line((problem, "bold red")) for problem in problems)
    if not problems:
        yield line(("Every figure that must hold holds.", "bold green"))


TRACK_STYLES: Mapping[str, str] = {"stable": "green", "canary": "cyan", "shadow": "magenta"}


def _cells(row: ReleaseRow) -> Iterator[str]:
    per_thousand = row.cost_per_thousand_usd
    yield f"{row.planned_percent:g}%"
    yield "-" if row.measured_percent is None else f"{row.measured_percent:.1f}%"
    yield f"{row.requests:,}"
    yield f"{row.errors:,}"
    yield "-" if row.p50_seconds is None else f"{row.p50_seconds * 1000:.0f} ms"
    yield f"{row.cost_usd:.4f}"
    yield "-" if per_thousand is None else f"{per_thousand:.3f}"


def _measured(figures: Figures) -> Mapping[str, str]:
    return {
        "canary's share of users": f"{figures.canary_users / figures.users:.1%} of {figures.users},"
        f" planned {CANARY_PERCENT}%",
        "canary's share of requests": f"{figures.canary_requests_before / figures.requests_before:.1%}"
        f" of {figures.requests_before:,}",
        "users that changed release": f"{figures.users_that_changed_release} of {figures.users};"
        f" the rollback moved {figures.users_moved_by_the_rollback} of {figures.canary_users} to stable",
        "requests harmed": f"{figures.requests_harmed_before} before the rollback,"
        f" {figures.requests_harmed - figures.requests_harmed_before} after; no SDK retries",
        "canary attempts that failed": f"{figures.attempts_judged} judged by the rollback,"
        f" {figures.attempts_failed - figures.attempts_judged} under way then",
        "seconds to rollback": f"{figures.seconds_to_rollback:.2f} from the first failed,"
        f" {figures.seconds_from_the_fault:.2f} from the fault",
        "canary attempts after it": f"{figures.late_attempts} later than a second",
        "streams cut": f"{figures.streams_cut} of {figures.streams:,}",
        "answers by another model": f"{figures.answers_by_another_model} than their release pins",
        "answers by the shadow": f"{figures.answers_by_the_shadow} to anyone, from {figures.copies} copies",
    }


def _told(told: str) -> Text:
    """Set a figure's number apart from what it says."""
    number, blank, rest = told.partition(" ")
    return line((number, "bold"), blank + rest)


def _sticky_note(tally: Tally) -> Iterator[Text]:
    changed, users = len(changed_release(tally.answers)), len(users_of(tally.answers))
    yield line("users that changed release: ", (str(changed), "bold"), f" of {users}, streaming or not, on either SDK")


def _shadow_note(tally: Tally) -> Iterator[Text]:
    apps = "; ".join(f"{app} pays {tally.readings.app_costs.get(app, 0.0):.4f}" for app in APPS.values())
    yield line("answers of the shadow that reached a caller: ", (str(len(tally.of(SHADOW))), "bold"))
    yield line(f"its cost is apart: {apps}")


def _failing_note(tally: Tally) -> Iterator[Text]:
    harmed = sum(one.harmed for one in tally.answers)
    yield line("requests harmed so far: ", (str(harmed), "bold"), f" of {len(tally.answers):,}")


NOTES = {STICKY.number: _sticky_note, MIRRORED.number: _shadow_note, FAILING.number: _failing_note}


def _event(event: Mapping[str, Any]) -> Text:
    """Tell one line of the gateway's log."""
    match event:
        case {"event": "rollback", "release": release, "actor": actor}:
            told, style = f"rollback by {actor}: {release} is out, weight 0%", "bold red"
        case {"event": "rollout_start", "release": release, "weight_ppm": ppm, "actor": actor}:
            told, style = f"rollout_start by {actor}: {release} gets {share(ppm)} of the users", "cyan"
        case {"event": "reload_accepted", "epoch": epoch}:
            told, style = f"reload_accepted: the changed policies serve from epoch {epoch}", "magenta"
        case _:
            told, style = f"{event['event']}: {event.get('message') or event.get('reason') or ''}", "yellow"
    return line((event["timestamp"][11:23], "dim"), " ", (told, style))
