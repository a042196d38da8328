"""What the command group of every registry has: list, search, show, diff, dependents, and the acts on a version."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.option import ahead, read_by
from gateway.cli.registry_text import differences, finds, listing, page, standing_line, who_depends
from gateway.cli.terminal import json_option, show, show_json, width

Named = tuple[str, str]
"""A name and a version."""

reason_option = click.option("--reason", metavar="TEXT", help="Why; recorded with the act.")


class VersionArgument(click.ParamType[Named]):
    """Reads NAME@VERSION, or ROUTE/VERSION for a release."""

    def __init__(self, kind: str) -> None:
        self.name = "version"
        self.between = "/" if kind == "release" else "@"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        """Take a text apart."""
        name, found, version = str(value).rpartition(self.between)
        if not found or not name or not version:
            self.fail(f"{value!r} names no version; write NAME{self.between}VERSION", param, ctx)
        return name, version


def add_verbs(group: click.Group, kind: str) -> None:
    """Give a group the commands that every registry has; `kind` is model, prompt, dataset or release."""
    named = VersionArgument(kind)
    _add_finding(group, kind)
    _add_reading(group, kind, named)
    _add_acts(group, kind, named)


def _add_finding(group: click.Group, kind: str) -> None:
    @group.command(name="list", help=f"List the {kind} versions that are registered.")
    @click.option("--use-case", metavar="TEXT", default="", help="Those meant for this alone.")
    @json_option
    @gateway_option
    def list_(use_case: str, gateway: GatewayClient, *, as_json: bool) -> None:
        told = gateway.registry(kind, use_case=use_case)
        if as_json:
            show_json(told)
        else:
            show(*listing(kind, told["versions"]))

    @group.command(help=f"Find {kind} versions by a text in their names, owners, use cases and whatever else is known.")
    @click.argument("text")
    @json_option
    @gateway_option
    @click.pass_context
    def search(ctx: click.Context, text: str, gateway: GatewayClient, *, as_json: bool) -> None:
        if not text.strip():
            raise click.UsageError("say what to search for")
        told = gateway.registry(kind, search=text)
        if as_json:
            show_json(told)
        else:
            show(*finds(kind, text, told["versions"]))
        ctx.exit(0 if told["versions"] else 1)


def _add_reading(group: click.Group, kind: str, named: VersionArgument) -> None:
    @group.command(name="show", help=f"Show a {kind} version: where it stands, and what is known of it.")
    @click.argument("version", type=named)
    @json_option
    @gateway_option
    def show_(version: Named, gateway: GatewayClient, *, as_json: bool) -> None:
        told = gateway.version(kind, *version)
        if as_json:
            show_json(told)
        else:
            show(*page(told, time.time()))

    @group.command(help=f"Show how two {kind} versions differ; exits 1 where they do.")
    @click.argument("one", type=named)
    @click.argument("other", metavar="VERSION")
    @json_option
    @gateway_option
    @click.pass_context
    def diff(ctx: click.Context, one: Named, other: str, gateway: GatewayClient, *, as_json: bool) -> None:
        second = named.convert(other, None, ctx) if any(mark in other for mark in "@/") else (one[0], other)
        told = [gateway.version(kind, *each) for each in (one, second)]
        if as_json:
            show_json({"versions": told, "same": told[0]["digest"] == told[1]["digest"]})
        else:
            show(*differences(told[0], told[1], width()))
        ctx.exit(0 if told[0]["digest"] == told[1]["digest"] else 1)

    @group.command(help=f"Show who depends on a {kind} version: as declared, and as observed in the last days.")
    @click.argument("version", type=named)
    @json_option
    @gateway_option
    def dependents(version: Named, gateway: GatewayClient, *, as_json: bool) -> None:
        told = gateway.dependents(kind, *version)
        if as_json:
            show_json(told)
        else:
            show(*who_depends(told["dependents"]))


def _add_acts(group: click.Group, kind: str, named: VersionArgument) -> None:
    def act(verb: str, version: Named, gateway: GatewayClient, *, as_json: bool, **wanted: Any) -> None:
        given = {name: value for name, value in wanted.items() if value is not None}
        told = gateway.move_version(verb, kind, *version, given)
        if as_json:
            show_json(told)
        else:
            show(standing_line(told))

    @group.command(help=f"Say that a {kind} version will end; its answers say so from then on.")
    @click.argument("version", type=named)
    @click.option(
        "--on", "retire_at", metavar="DAY", callback=read_by(ahead), help="When it ends: 2027-03-01, or 90d from now."
    )
    @click.option("--successor", metavar="VERSION", help="The version that comes after it.")
    @reason_option
    @json_option
    @gateway_option
    def deprecate(version: Named, successor: str | None, **given: Any) -> None:
        name, found, own = (successor or "").rpartition(named.between)
        if found and name != version[0]:
            raise click.BadParameter(f"{successor!r} is of another name; a successor of {version[0]} has it too")
        act("deprecate", version, successor=own or None, **given)

    def add_end(verb: str, said: str) -> None:
        @group.command(name=verb, help=said)
        @click.argument("version", type=named)
        @reason_option
        @json_option
        @gateway_option
        def end(version: Named, **given: Any) -> None:
            act(verb, version, **given)

    add_end("retire", f"End a {kind} version that nobody depends on any more.")
    add_end("revoke", f"Take a {kind} version out of traffic, at once and for good.")


def add_register(group: click.Group, kind: str) -> None:
    """Give a group the command that registers what files declare."""

    @group.command(help=f"Register the {kind} documents of FILES, as a policy file would declare them.")
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @json_option
    @gateway_option
    def register(files: tuple[Path, ...], gateway: GatewayClient, *, as_json: bool) -> None:
        told = gateway.register(texts_of(files))
        if as_json:
            show_json(told)
        else:
            show(*(standing_line(each) for each in told["registered"]))


def texts_of(files: tuple[Path, ...]) -> Mapping[str, str]:
    """Read files as text, by their names.

    Raises:
        click.FileError: one of them cannot be read, or is no text.
    """
    texts = {}
    for file in files:
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.FileError(str(file), getattr(error, "strerror", None) or "it is no UTF-8 text") from error
    return texts
