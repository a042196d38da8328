"""What a chaos run tells: a table on a terminal, JSON for programs, Markdown for a page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tests.chaos.fault import Fault, Row

BEGIN, END = "<!-- chaos:begin -->", "<!-- chaos:end -->"
VERDICTS = {True: "ok", False: "short"}


def shown(rows: Sequence[Row]) -> Table:
    """The table for a terminal."""
    table = Table("fault", "expected", "measured", "", box=SIMPLE_HEAD, row_styles=("", "dim"))
    for row in rows:
        verdict = Text(VERDICTS[row.findings.is_ok], "green" if row.findings.is_ok else "bold red")
        cells = (f"{row.fault.name}\n{row.fault.what}", row.fault.expected, row.findings.told())
        table.add_row(*map(Text, cells), verdict)  # as texts: a message may hold what reads as markup
    return table


def as_json(rows: Sequence[Row], when: datetime, machine: Mapping[str, Any], seconds: float) -> str:
    """The document for programs."""
    short = [row.fault.name for row in rows if not row.findings.is_ok]
    told = {
        "date": when.isoformat(timespec="seconds"),
        "machine": dict(machine),
        "seconds": round(seconds, 1),
        "short": short,
        "rows": [row.as_json() for row in rows],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def block(rows: Sequence[Row], when: datetime, machine: Mapping[str, Any], before: str = "") -> str:
    """The part of the page that is measured, as Markdown; of the part before, the rows stay that were not tried."""
    size = f"{machine['cores']} cores, {machine['memory_gb']} GB"
    kept = {line.split("`")[1]: line for line in before.splitlines() if line.startswith("| `")}
    lines = kept | {row.fault.name: _line(row, when) for row in rows}
    held = sum(line.endswith("| ok |") for line in lines.values())
    return "\n".join(
        [
            f"Measured by `make chaos` on {machine['cpu']}, {size}, {machine['python']}, with servers, gateways,",
            f"provider and load on the one machine. {held} of {len(lines)} rows are as promised.",
            "",
            "| fault | promised | measured | on | |",
            "|---|---|---|---|---|",
            *lines.values(),
        ]
    )


def _line(row: Row, when: datetime) -> str:
    cells = (f"`{row.fault.name}`: {_linked(row.fault)}", row.fault.expected, row.findings.told(), f"{when:%d %B %Y}")
    return f"| {' | '.join(map(_cell, cells))} | {VERDICTS[row.findings.is_ok]} |"


def _linked(fault: Fault) -> str:
    return f"[{fault.what}](operations.md#{fault.runbook})"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def publish(page: Path, rows: Sequence[Row], when: datetime, machine: Mapping[str, Any]) -> None:
    """Write what was measured between the marks of a page.

    Raises:
        ValueError: it has no marks.
    """
    before, begun, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    old, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    text = block(rows, when, machine, old)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def chosen(faults: Iterable[Fault], names: Sequence[str]) -> list[Fault]:
    """Those of a name, or all where none is wanted.

    Raises:
        LookupError: there is none of a name; the message tells those there are.
    """
    known = {fault.name: fault for fault in faults}
    if unknown := [name for name in names if name not in known]:
        raise LookupError(f"there is no fault {', '.join(unknown)}; there are {', '.join(known)}")
    return [fault for fault in known.values() if not names or fault.name in names]
