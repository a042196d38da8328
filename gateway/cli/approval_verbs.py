"""What `pinion release` does for approvals: request, review, approve, reject, withdraw, except, emergency."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from gateway.cli.approval_text import exception_line, request_lines, review_page
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.option import read_by
from gateway.cli.registry_text import differences
from gateway.cli.registry_verbs import Named, VersionArgument
from gateway.cli.terminal import json_option, show, show_json, width
from gateway.core.duration import parse_duration

Command = Callable[..., Any]


def _subject(command: Command) -> Command:
    """Give a command what it is about: a release, or an approval policy that a refused set would change."""
    command = click.option("--policy", metavar="NAME", help="Not a release: the change of this approval policy.")(
        command
    )
    return click.argument("version", type=VersionArgument("release"), required=False)(command)


def _about(version: Named | None, policy: str | None) -> tuple[str, str | None]:
    if (version is None) is (policy is None):
        raise click.UsageError("name a release as ROUTE/VERSION, or an approval policy with --policy")
    return (policy, None) if version is None else version  # type: ignore[return-value]


def _told(told: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(told)
    else:
        show(*request_lines(told, time.time()))


@click.command()
@_subject
@click.option("--rollback-plan", metavar="TEXT", help="How it is taken back, where that is asked for.")
@click.option("--reason", metavar="TEXT", help="Why it should serve.")
@json_option
@gateway_option
def request(version: Named | None, policy: str | None, gateway: GatewayClient, *, as_json: bool, **said: Any) -> None:
    """Request the approval of a release, or of a change of an approval policy."""
    about = _about(version, policy)
    given = {name: value for name, value in said.items() if value is not None}
    if policy is not None and "rollback_plan" in given:
        raise click.UsageError("a rollback plan is of a release; leave it out")
    _told(gateway.approval("request", *about, given), as_json=as_json)


@click.command()
@click.argument("version", type=VersionArgument("release"))
@json_option
@gateway_option
def review(version: Named, gateway: GatewayClient, *, as_json: bool) -> None:
    """Show everything that a reviewer needs: what changed, gates, sign-offs, and the digest of what is signed."""
    told = gateway.review(*version)
    if as_json:
        show_json(told)
        return
    show(*review_page(told, time.time()))
    if told["stable"] not in (None, told["release"]):
        one, other = (gateway.version("release", told["route"], each) for each in (told["stable"], told["release"]))
        show("", *differences(one, other, width()))


@click.command()
@_subject
@click.option("--role", metavar="NAME", help="The function that you sign for, where you sign for several.")
@click.option("--digest", metavar="HEX", help="What you have reviewed; refused if it is no longer that.")
@click.option("--comment", metavar="TEXT", help="What you say to it; recorded with your sign-off.")
@json_option
@gateway_option
def approve(version: Named | None, policy: str | None, gateway: GatewayClient, *, as_json: bool, **said: Any) -> None:
    """Sign what is requested; with the last sign-off it is approved."""
    about = _about(version, policy)
    given = {name: value for name, value in said.items() if value is not None}
    _told(gateway.approval("sign", *about, given), as_json=as_json)


@click.command()
@_subject
@click.option("--reason", metavar="TEXT", required=True, help="Why not; recorded.")
@json_option
@gateway_option
def reject(version: Named | None, policy: str | None, reason: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Reject what is requested. A release that is rejected never serves; publish another version."""
    _told(gateway.approval("reject", *_about(version, policy), {"reason": reason}), as_json=as_json)


@click.command()
@_subject
@click.option("--reason", metavar="TEXT", help="Why; recorded.")
@json_option
@gateway_option
def withdraw(
    version: Named | None, policy: str | None, reason: str | None, gateway: GatewayClient, *, as_json: bool
) -> None:
    """Withdraw a request; it may be made anew."""
    given = {} if reason is None else {"reason": reason}
    _told(gateway.approval("withdraw", *_about(version, policy), given), as_json=as_json)


@click.command(name="except")
@click.argument("version", type=VersionArgument("release"))
@click.option(
    "--until", metavar="DURATION", required=True, callback=read_by(parse_duration), help="For how long, as in 30d."
)
@click.option("--reason", metavar="TEXT", required=True, help="Why; recorded, and you own it.")
@json_option
@gateway_option
def except_(version: Named, until: float, reason: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Let a release serve for a time without an approval, on your own word."""
    told = gateway.approval("except", *version, {"reason": reason, "until": time.time() + until})
    show_json(told) if as_json else show(exception_line(told, time.time()))


@click.command()
@click.argument("version", type=VersionArgument("release"))
@click.option("--reason", metavar="TEXT", required=True, help="What the emergency is; recorded, and you own it.")
@json_option
@gateway_option
def emergency(version: Named, reason: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Let a release serve at once, to be reviewed right after."""
    told = gateway.approval("emergency", *version, {"reason": reason})
    show_json(told) if as_json else show(exception_line(told, time.time()))


def add_approval_verbs(group: click.Group) -> None:
    """Give a group the commands of approvals."""
    for command in (request, review, approve, reject, withdraw, except_, emergency):
        group.add_command(command)
