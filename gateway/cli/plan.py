"""`pinion plan`: what a folder of policies would mean for a running gateway, before it is merged."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from gateway.adapters.policy_folder import located, read_folder
from gateway.cli.approval_text import on_whose_word
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.registry_text import title
from gateway.cli.terminal import indented, json_option, line, show, show_json, table
from gateway.core.errors import PolicyFault, Problem

SAID: Mapping[str, str] = {
    "deploy": "serves for the first time",
    "start": "starts a rollout",
    "hold": "opens a rollout that a person must start",
    "supersede": "ends the rollout under way",
    "rollback": "takes the rollout under way back",
    "remove": "is removed",
}
"""What each act means."""


@click.command()
@click.argument(
    "folder",
    default="policies",
    envvar="PINION_POLICIES",
    type=click.Path(exists=True, file_okay=False),
)
@json_option
@gateway_option
def plan(folder: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Show what the policies in FOLDER would register, start, move or be refused for, were they given to the gateway.

    Changes nothing. Exits 0 when the gateway would take them, and 1 when it would refuse them.
    """
    try:
        told = gateway.plan(read_folder(Path(folder)))
    except PolicyFault as fault:
        told = {"accepted": False, "problems": [_json(each) for each in fault.problems]}
    if as_json:
        show_json(told)
    elif told["accepted"]:
        show(*_story(folder, told, time.time()))
    else:
        for problem in _located(folder, told["problems"]):
            click.echo(str(problem))
        click.echo(f"{folder}: would be refused")
    raise SystemExit(0 if told["accepted"] else 1)


def _story(folder: str, told: Mapping[str, Any], now: float) -> Iterator[RenderableType]:
    for warning in _located(folder, told["warnings"]):
        yield line(f"{warning.file}:{warning.line}: ", ("warning", "yellow"), f": {warning.problem}; {warning.remedy}")
    registered = [(title(each), each["kind"], each["digest"][:12], "registers") for each in told["registers"]]
    changed = [(title(each), each["kind"], each["digest"][:12], "tells anew") for each in told["changes"]]
    if registered or changed:
        yield from (indented(table(["version", "kind", "digest", "would"], [*registered, *changed])), "")
    acts = [(act["route"], SAID.get(act["verb"], act["verb"]), _versions(act)) for act in told["acts"]]
    if acts:
        yield from (indented(table(["route", "would", "releases"], acts)), "")
    for each in told["exceptions"]:
        yield indented(line(f"{each['name']}/{each['version']} serves by an ").append_text(on_whose_word(each, now)))
    if told["exceptions"]:
        yield ""
    if not (registered or changed or acts):
        yield line("nothing would change" if not told["is_new"] else "nothing would be registered, started or moved")
    yield line(f"{folder}: ", ("would be accepted", "bold green"))


def _versions(act: Mapping[str, Any]) -> str:
    return act["stable"] if act["candidate"] is None else f"{act['stable']} to {act['candidate']}"


def _located(folder: str, problems: list[Mapping[str, Any]]) -> tuple[Problem, ...]:
    return located(folder, [Problem(each["file"], each["line"], each["problem"], each["remedy"]) for each in problems])


def _json(problem: Problem) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}
