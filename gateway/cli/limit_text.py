"""The limits of applications in words: how much of each is used."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import line, table
from gateway.core.duration import roughly

NEARLY = 0.8
"""From this share on a limit is told in another colour."""


def limits_text(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tell the limits of applications, each with what is used of it and when nothing would be any more."""
    rows = (
        [
            app["app"],
            f"{_amount(limit, 'amount')} per {limit['per']}",
            _amount(limit, "used"),
            _left(limit),
            _idle(limit),
        ]
        for app in told["apps"]
        for limit in app["limits"]
    )
    yield table(["app", "limit", "used", "left", "unused again in"], rows, whole=3)
    if told["replicas"] > 1:
        yield ""
        yield line(f"{told['replicas']} gateways share them")
    if told["replicas"] > 1 and not told["shared"]:
        yield line(("the others are away: each gives its own share alone", "yellow"))


def _amount(limit: Mapping[str, Any], name: str) -> str:
    amount = limit[name]
    return f"${amount:,.2f}" if limit["limit"] == "usd" else f"{amount:,} {limit['limit']}"


def _left(limit: Mapping[str, Any]) -> Text:
    """Say the share that is left, loudly where it is little."""
    ratio = limit["used_ratio"]
    style = "red" if ratio >= 1 else "yellow" if ratio >= NEARLY else ""
    return line((f"{max(0.0, 1 - ratio):.1%}", style))


def _idle(limit: Mapping[str, Any]) -> str | None:
    return roughly(limit["idle_in_seconds"]) if limit["idle_in_seconds"] else None
