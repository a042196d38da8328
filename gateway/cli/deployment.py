"""`pinion deployment`: which release served which route on which track, from when to when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.terminal import json_option, line, moment, show, show_json, table


@click.group()
def deployment() -> None:
    """List what served when."""


@deployment.command(name="list")
@click.argument("route", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, the newest first."
)
@json_option
@gateway_option
def list_(route: str | None, limit: int, gateway: GatewayClient, *, as_json: bool) -> None:
    """List which release served ROUTE, or any route, on which track, from when to when, and on whose word."""
    told = gateway.deployments(route, limit)
    if as_json:
        show_json(told)
    elif not told["deployments"]:
        show(line("nothing has served yet"))
    else:
        show(
            table(
                ["release", "track", "from", "until", "by", "admitted by", "why"], _rows(told["deployments"]), whole=4
            )
        )


def _rows(deployments: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Any]]:
    for each in deployments:
        until = line(("serves now", "green")) if each["until"] is None else moment(each["until"])
        release = line((f"{each['route']}/{each['release']}", "bold"))
        word = None if each["admitted_by"] is None else f"{each['admitted_by']} {each['approval']}"
        yield release, each["track"], moment(each["since"]), until, each["actor"], word, each["why"]
