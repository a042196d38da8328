"""Options that several commands take: values that a parser reads, and times."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from gateway.core.duration import parse_duration

Callback = Callable[[click.Context, click.Parameter, Any], Any]


def read_by(parse: Callable[[str], Any]) -> Callback:
    """Make an option's callback of a parser that refuses with ValueError; what is not given stays None."""

    def read(ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else parse(text)
        except ValueError as exc:
            raise click.BadParameter(str(exc), ctx, param) from exc

    return read


def past(text: str) -> float:
    """Read a time as wall seconds: how long ago it is, or as ISO 8601 writes it, in UTC where it says nothing else.

    Raises:
        ValueError: it is neither.
    """
    return _at(text, -1)


def ahead(text: str) -> float:
    """Read a time as `past` does, and a duration as how far off it is.

    Raises:
        ValueError: it is neither.
    """
    return _at(text, 1)


def _at(text: str, direction: int) -> float:
    try:
        return time.time() + direction * parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 24h, 2026-11-20 or 2026-11-20T08:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


since_option = click.option(
    "--since", metavar="TIME", callback=read_by(past), help="Only what is from this time on, or from so long ago."
)
"""Gives a command wall seconds, or None, as `since`."""
