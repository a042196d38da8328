"""`pinion rollout`: the verbs of a rollout. Each is one command, without a dialogue, done when it returns."""

from typing import Any

import click

from gateway.cli.gateway_client import WATCH_TIMEOUT, GatewayClient, gateway_option
from gateway.cli.option import read_by
from gateway.cli.rollout_story import story
from gateway.cli.rollout_text import standing_of_route
from gateway.cli.rollout_watch import Watch, interruptible, screen_for
from gateway.cli.terminal import json_option, line, show, show_json, width
from gateway.core.duration import parse_duration

NOT_RECORDED = "not in the store yet: other gateways on it go on as before, and if this process ends now it is lost"

full_option = click.option("--full", is_flag=True, help="Complete the rollout now, whatever steps are left.")
reason_option = click.option("--reason", metavar="TEXT", help="Why; recorded with the act.")
route_argument = click.argument("route")

SHORTEST_INTERVAL = 0.1
"""Seconds; a watch that asks more often is a load."""


@click.group()
def rollout() -> None:
    """Start, promote, pause, resume, roll back, retry, undo, show and watch rollouts."""


def _act(verb: str, route: str, gateway: GatewayClient, *, as_json: bool, **wanted: Any) -> None:
    """Have a verb carried out and say in one line where the rollout stands now."""
    now = gateway.act(verb, route, {name: value for name, value in wanted.items() if value is not None})
    if as_json:
        show_json(now)
    else:
        show(standing_of_route(now))
        if not now.get("is_recorded", True):
            show(line((NOT_RECORDED, "yellow")))


@rollout.command()
@route_argument
@reason_option
@json_option
@gateway_option
def start(**given: Any) -> None:
    """Enter the first step of a held rollout."""
    _act("start", **given)


@rollout.command()
@route_argument
@full_option
@reason_option
@json_option
@gateway_option
def promote(**given: Any) -> None:
    """Enter the next step; from the last one, make the candidate stable."""
    _act("promote", **given)


@rollout.command()
@route_argument
@reason_option
@json_option
@gateway_option
def pause(**given: Any) -> None:
    """Stay in the step until somebody resumes; its guardrails go on watching."""
    _act("pause", **given)


@rollout.command()
@route_argument
@reason_option
@json_option
@gateway_option
def resume(**given: Any) -> None:
    """Let a paused rollout go on in its step."""
    _act("resume", **given)


@rollout.command()
@route_argument
@reason_option
@json_option
@gateway_option
def rollback(**given: Any) -> None:
    """Take the candidate out of traffic, at once and for good."""
    _act("rollback", **given)


@rollout.command()
@route_argument
@reason_option
@json_option
@gateway_option
def retry(**given: Any) -> None:
    """Try a candidate again that was rolled back, with other units."""
    _act("retry", **given)


@rollout.command()
@route_argument
@click.option("--to", metavar="VERSION", help="The warm release that serves again; the latest one if left out.")
@reason_option
@json_option
@gateway_option
def undo(**given: Any) -> None:
    """Take a completed rollout back: the release before it is stable again, at once."""
    _act("undo", **given)


def _interval(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < SHORTEST_INTERVAL:
        raise ValueError("ask at most ten times a second: 100ms or more")
    return seconds


@rollout.command()
@route_argument
@click.option(
    "--interval", default="1s", show_default=True, callback=read_by(_interval), help="How often the gateway is asked."
)
@json_option
@gateway_option
@click.pass_context
def watch(ctx: click.Context, route: str, interval: float, gateway: GatewayClient, *, as_json: bool) -> None:
    """Watch a rollout until it is over: live on a terminal, elsewhere a line at each change.

    Exits 0 when it was completed or the watch was ended by Ctrl-C, 1 when it was rolled back or another rollout took
    its place, 2 when the gateway was away for 30 seconds.
    """
    ask, screen = lambda: gateway.rollout(route, WATCH_TIMEOUT), screen_for(as_json=as_json)
    with interruptible() as is_ended:
        try:
            code = Watch(ask, screen, interval, is_ended=is_ended).run()
        except KeyboardInterrupt:
            code = 0
    ctx.exit(code)


@rollout.command(name="show")
@route_argument
@json_option
@gateway_option
def show_(route: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Tell the latest rollout of a route: where it stands, why, and every act on it."""
    told = gateway.rollout(route)
    if as_json:
        show_json(told)
    else:
        show(*story(told, width()))
