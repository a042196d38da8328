"""Keys and tokens in words: one that was just issued, and a table of those that were."""

from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import line, moment, printable, table

STATE_STYLES: Mapping[str, str] = {"good": "green", "expired": "yellow", "revoked": "red"}


def echo_issued(told: Mapping[str, Any], noun: str) -> None:
    """Print a key that was issued, this once: itself on standard output, and what else there is to know beside it."""
    click.echo(told["secret"])
    click.echo(
        f"{noun} {told['key']} of {printable(told['owner'])}, {lasting(told['expires_at'])}. "
        f"It is shown this once: Pinion keeps its digest alone.",
        err=True,
    )


def lasting(expires_at: float | None) -> str:
    """Say until when a key lasts."""
    return "until it is revoked" if expires_at is None else f"until {moment(expires_at)}"


def echo_revoked(told: Mapping[str, Any], noun: str) -> None:
    """Print what became of a revocation."""
    said = f"{noun} {told['key']} of {told['owner']}: revoked {moment(told['revoked_at'])} by {told['revoked_by']}"
    late = "" if told["is_recorded"] else "; not in the store yet: it holds here, and everywhere once the store is back"
    click.echo(printable(f"{said}{late}"))


def keys_table(keys: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Make a table of issued keys."""
    headings = ["key", "owner", "state", "until", "issued", "by", "last used"]
    rows = (
        [key["key"], key["owner"], state(key), until(key), day(key["created_at"]), key["created_by"], used(key)]
        for key in keys
    )
    return table(headings, rows, whole=4)


def state(key: Mapping[str, Any]) -> Text:
    """Say whether a key is in force, and what took its place."""
    replaced = "" if key["replaced_by"] is None else f", now {key['replaced_by']}"
    return line((key["state"], STATE_STYLES.get(key["state"], "")), replaced)


def until(key: Mapping[str, Any]) -> str | None:
    """Say when a key ends, or ended."""
    ended = key["revoked_at"] or key["expires_at"]
    return None if ended is None else moment(ended).removesuffix(" UTC")


def used(key: Mapping[str, Any]) -> str:
    """Say when a key was last used."""
    at = key["last_used_at"]
    return "never" if at is None else moment(at).removesuffix(" UTC")


def day(at: float) -> str:
    """Write the day of wall seconds, in UTC."""
    return moment(at)[:10]
