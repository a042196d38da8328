"""`pinion rollout`: the verbs of a rollout. Each is one command, without a dialogue, done when it returns."""

from typing import Any

import click

from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.rollout_text import standing_of_route, story
from gateway.cli.terminal import json_option, show, show_json

full_option = click.option("--full", is_flag=True, help="Complete the rollout now, whatever steps are left.")
reason_option = click.option("--reason", metavar="TEXT", help="Why; recorded with the act.")
route_argument = click.argument("route")


@click.group()
def rollout() -> None:
    """Start, promote, roll back, retry and show rollouts."""


def _act(verb: str, route: str, gateway: GatewayClient, *, as_json: bool, **wanted: Any) -> None:
    """Have a verb carried out and say in one line where the rollout stands now."""
    now = gateway.act(verb, route, {name: value for name, value in wanted.items() if value is not None})
    if as_json:
        show_json(now)
    else:
        show(standing_of_route(now))


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
        show(*story(told))
