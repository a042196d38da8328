"""What commands print: colour and folded lines on a terminal, whole plain lines elsewhere, or JSON."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

UNFOLDED = 100_000
"""The width off a terminal: nothing that is shown is as wide."""

INDENT = 2

json_option = click.option("--json", "as_json", is_flag=True, help="Print the JSON that the gateway answers.")
"""Tells a command, as `as_json`, to print what it got."""


def width() -> int:
    """Give how many columns there are to fill."""
    return _console().width


def show(*parts: RenderableType) -> None:
    """Print each part on lines of its own, without the blanks that fill a table's last column."""
    console = _console()
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=True)


def show_json(value: Mapping[str, Any]) -> None:
    """Print a JSON object, indented."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def line(*spans: str | tuple[str, str]) -> Text:
    """Make a line of texts, each alone or with its style."""
    return Text.assemble(
        *((printable(span), "") if isinstance(span, str) else (printable(span[0]), span[1]) for span in spans)
    )


def indented(part: RenderableType) -> Padding:
    """Set a part two columns in."""
    return Padding.indent(part, INDENT)


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]], *, whole: int = 1) -> Table:
    """Make a table. Cells are lines or values, None shown as a dash; the first `whole` columns never fold."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1))
    for place, heading in enumerate(headings):
        made.add_column(heading, no_wrap=place < whole, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else line(_said(cell)) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Make a grid of names and values; what is None is left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            made.add_row(name, value if isinstance(value, Text) else line(_said(value)))
    return made


def printable(text: str) -> str:
    """Escape what is not to be printed: a name of somebody else's making must not steer the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def share(ppm: int) -> str:
    """Write parts per million as percent, as in `0.5%`."""
    return f"{ppm / 10_000:.4f}".rstrip("0").rstrip(".") + "%"


def counted(count: int, noun: str) -> str:
    """Write how many there are, as in `1 step` and `2 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def moment(seconds: float) -> str:
    """Write wall seconds as the time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _said(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name}={held}" for name, held in value.items()) or "-"
    return str(value)


def _console() -> Console:
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else UNFOLDED,
        legacy_windows=False,
    )
