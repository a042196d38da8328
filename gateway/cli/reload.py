"""`pinion reload`: have the policy files read again, and say what came of it."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.terminal import json_option, printable, show_json


@click.command()
@json_option
@gateway_option
def reload(gateway: GatewayClient, *, as_json: bool) -> None:
    """Read the policy files again.

    Exits 1, with every problem as FILE:LINE: problem; remedy, when they are not acceptable; the last good set then goes
    on serving.
    """
    told = gateway.reload()
    accepted = told["result"] == "accepted"
    if as_json:
        show_json(told)
    else:
        for line in problem_lines(told):
            click.echo(line, err=True)
        click.echo("accepted; this set serves" if accepted else "rejected; the last good set goes on serving")
    sys.exit(0 if accepted else 1)


def problem_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Write a reload's problems and warnings, each on one line."""
    for mark, problems in (("", told["problems"]), ("warning: ", told["warnings"])):
        for one in problems:
            yield printable(f"{one['file']}:{one['line']}: {mark}{one['problem']}; {one['remedy']}")
