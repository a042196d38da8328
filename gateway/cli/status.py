"""`pinion status`: what serves now, route by route."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from gateway.cli.approval_text import on_whose_word
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.reload import problem_lines
from gateway.cli.rollout_text import latest_move, standing
from gateway.cli.terminal import (
    counted,
    facts,
    indented,
    json_option,
    line,
    moment,
    share,
    show,
    show_json,
    table,
    width,
)
from gateway.core.bucket import BUCKETS
from gateway.core.route_record import UNDO_SECONDS

ROOMY = 100
"""From this many columns on, the served model has a column of its own."""

BREAKER_STYLES: Mapping[str, str] = {"closed": "green", "open": "red", "half_open": "yellow"}


@click.command()
@json_option
@gateway_option
def status(gateway: GatewayClient, *, as_json: bool) -> None:
    """Show what serves now: every route with its releases, its rollout, and the last reload."""
    told = gateway.status()
    if as_json:
        show_json(told)
    else:
        show(*status_text(told, width(), time.time()))


def status_text(told: Mapping[str, Any], columns: int, now: float) -> Iterator[RenderableType]:
    """Tell a status as the operations API gives it, at wall time `now`: the process, the last reload, each route."""
    ready = ("ready", "green") if told["ready"] else ("not ready", "red")
    dev = ", dev" if told["dev"] else ""
    open_now = counted(told["open_requests"], "open request"), counted(told["open_shadows"], "open shadow")
    yield line(("pinion", "bold"), f" {told['version']} ", ready, (dev, "yellow"), ", ", ", ".join(open_now))
    yield indented(facts(_process(told).items()))
    if told["reload"] is not None:
        style = "yellow" if told["reload"]["result"] == "accepted" else "red"
        yield from (indented(line((problem, style))) for problem in problem_lines(told["reload"]))
    for route in told["routes"]:
        yield ""
        yield from _route(route, now, with_served=columns >= ROOMY)


def _process(told: Mapping[str, Any]) -> Mapping[str, Any]:
    late = "; ".join(_late(told.get("notifications", ())))
    reload, waiting, away = told["reload"], told["unrecorded_acts"], told.get("store_away", False)
    fleet = told.get("fleet")
    return {
        "policies": f"{told['policies']}, revision {told['revision'][:12]}, epoch {told['epoch']}",
        "last reload": None if reload is None else _reload(reload),
        "worker": _worker(told.get("worker")),
        "callers": line(("anyone on this machine: no app is declared", "yellow")) if told["open"] else None,
        "store": line(("away: what serves goes on, and no act that gives traffic is taken", "red")) if away else None,
        "fleet": None if fleet is None else _fleet(fleet),
        "unrecorded": line((f"{counted(waiting, 'act')} not in the store yet", "red")) if waiting else None,
        "notifications": line((late, "red")) if late else None,
    }


def _worker(worker: Mapping[str, Any] | None) -> str | None:
    """Say which of several workers has answered, and where the operations of each are."""
    if worker is None:
        return None
    return f"{worker['index']} of {len(worker['operations'])}; operations on {', '.join(worker['operations'])}"


def _late(targets: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Tell of the targets of notifications that have not got everything."""
    for each in targets:
        if each["waiting"] or each["stopped"]:
            state = "stopped until the next start" if each["stopped"] else each["fault"] or "on their way"
            yield f"{each['waiting']} waiting for {each['target']}: {state}"


def _fleet(fleet: Mapping[str, Any]) -> Text:
    """Say how many gateways there are, or since when nobody knows."""
    if fleet["up"]:
        return line(counted(fleet["replicas"], "replica"))
    since = "" if fleet["away_since"] is None else f" since {moment(fleet['away_since'])}"
    return line((f"away{since}: the others are heard of through the store alone, each second", "yellow"))


def _reload(reload: Mapping[str, Any]) -> Text:
    accepted = reload["result"] == "accepted"
    result = ("accepted", "green") if accepted else ("rejected; the last good set goes on serving", "red")
    return line(f"{moment(reload['at'])} ", result)


def _route(route: Mapping[str, Any], now: float, *, with_served: bool) -> Iterator[RenderableType]:
    owner = "" if route["owner"] is None else f", owner {route['owner']}"
    yield line((route["route"], "bold"), (f"  {route['dialect']}{owner}", "dim"))
    yield indented(_releases(route, with_served=with_served))
    yield indented(facts({**_rollout(route["rollout"]), "warm": _warm(route, now), **_split(route)}.items()))
    for release in route["releases"]:
        yield from (indented(note) for note in _notes(release, route["rollout"] or {}, now))


def _releases(route: Mapping[str, Any], *, with_served: bool) -> RenderableType:
    headings = ["release", "serves", "breaker", "model", "prompt", *(["served model"] if with_served else [])]
    rows = (
        [
            release["release"],
            _serves(route, release),
            _breaker(release["breaker"]),
            release["model"],
            release["prompt"],
            *([release["served"]["served_model"]] if with_served else []),
        ]
        for release in route["releases"]
    )
    return table(headings, rows, whole=3)


def _serves(route: Mapping[str, Any], release: Mapping[str, Any]) -> Text:
    """Say a release's share of the units, and as what it has it."""
    if release["out"] is not None:
        return line(("out", "red"))
    if release["release"] == route["stable"]:
        return line(f"{share(release['weight_ppm'])} stable")
    if not release["weight_ppm"]:
        return line(("0%", "dim"))
    return line((f"{share(release['weight_ppm'])} {'canary' if route['experiment'] is None else 'arm'}", "cyan"))


def _breaker(breaker: Mapping[str, Any]) -> Text:
    """Say a breaker's state, and the share of units while it has not taken all back."""
    state, taken = breaker["state"], breaker.get("share_ppm", BUCKETS)
    back = f" {share(taken)}" if state == "closed" and taken < BUCKETS else ""
    return line((state.replace("_", "-") + back, BREAKER_STYLES.get(state, "")))


def _rollout(rollout: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Say where a rollout stands, and who moved it last and why."""
    return {} if rollout is None else {"rollout": standing(rollout), "last move": latest_move(rollout)}


def _warm(route: Mapping[str, Any], now: float) -> str | None:
    """Say which former releases a rollout could be undone to, and until when."""
    out = {release["release"] for release in route["releases"] if release["out"] is not None}
    warm = {former["release"]: former["until"] + UNDO_SECONDS for former in route.get("former", ())}
    said = (f"{each}, until {moment(end)}" for each, end in warm.items() if end >= now and each not in out)
    return "; ".join(said) or None


def _split(route: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say what else decides: the experiment, the standing shadow, the fallbacks."""
    experiment, shadow = route["experiment"], route["shadow"]
    return {
        "experiment": None if experiment is None else f"{experiment['name']}: {_arms(experiment['arms'])}",
        "shadow": None
        if shadow is None
        else f"{share(shadow['ppm'])} of stable's requests are copied to {shadow['release']}",
        "fallback": ", ".join(route["fallback"]) or None,
    }


def _arms(arms: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{arm['arm']} {arm['release']} {share(arm['range'][1] - arm['range'][0])}" for arm in arms)


def _notes(release: Mapping[str, Any], rollout: Mapping[str, Any], now: float) -> Iterator[Text]:
    """Say what a person should know of a release beyond its row and its rollout."""
    version, served, breaker = release["release"], release["served"], release["breaker"]
    if release["out"] is not None:
        if version != rollout.get("candidate"):
            yield line((f"{version} is {release['out']}", "red"))
    elif breaker["state"] == "open":
        yield line((f"{version} is tried again in {breaker['probes_in_seconds']:.0f}s: its breaker is open", "red"))
    if served["mismatches"]:
        yield line(
            (f"{version} was answered by another model than pinned, {counted(served['mismatches'], 'time')}", "yellow"),
            f"; last seen: {served['served_model']}",
        )
    for each in release["exceptions"]:
        yield line(f"{version}: ").append_text(on_whose_word(each, now))
