"""How a watched rollout looks on a terminal: one picture of all that matters of it now."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gateway.cli.rollout_figures import (
    Shown,
    budget_words,
    criteria,
    short_findings_table,
    shown_of,
    sides,
    steps_row,
    time_words,
)
from gateway.cli.rollout_text import STYLES, act, latest_move, of_plan, standing_of_route
from gateway.cli.terminal import facts, indented, line, moment

LAST_ACTS = 3
ROOMY = 34
"""Rows of a terminal from which the parts of the picture stand apart."""


def picture(told: Mapping[str, Any], columns: int, rows: int) -> Iterator[RenderableType]:
    """Show a rollout as the operations API explains it, on a terminal of so many columns and rows."""
    found = shown_of(told)
    parts: list[list[RenderableType]] = [
        list(_head(told)),
        list(_progress(told, columns)),
        list(_sides(told, found, columns)),
        [indented(short_findings_table(told, found, columns))] if any(criteria(told)) else [],
        [indented(facts(_waits(told)))],
        list(_acts(told)),
    ]
    for place, part in enumerate(part for part in parts if part):
        if place and rows >= ROOMY:
            yield ""
        yield from part


def waiting_for(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Give what a rollout waits for, each with its code and a sentence."""
    judged = told.get("judged")
    return [] if judged is None else judged["waits"]


def _head(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield standing_of_route(told)
    yield line((f"plan {of_plan(told)}, attempt {told['attempt']}, rollout {told['id']}", "dim"))


def _progress(told: Mapping[str, Any], columns: int) -> Iterator[RenderableType]:
    yield indented(steps_row(told))
    judged = told.get("judged")
    if judged is None:
        return
    said = line(time_words(judged))
    if not judged["step_seconds"]:
        yield indented(said)
        return
    style = STYLES.get(told["state"], "")
    bar = ProgressBar(
        total=judged["step_seconds"],
        completed=min(judged["elapsed_seconds"], judged["step_seconds"]),
        width=max(10, columns // 3),
        complete_style=style,
        finished_style=style,
    )
    row = Table.grid(padding=(0, 2))
    row.add_row(bar, said)
    yield indented(row)


def _sides(told: Mapping[str, Any], found: Shown | None, columns: int) -> Iterator[RenderableType]:
    for table in () if found is None else sides(told, found, columns):
        yield indented(table)


def _waits(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Say what it waits for, or what ended it, and what is left of the error budget."""
    waits = waiting_for(told)
    for place, wait in enumerate(waits):
        yield "" if place else "waits for", _cut(line(wait["sentence"]))
    if not waits or told["state"] == "paused":
        yield "last move", latest_move(told)
    budget = (told.get("judged") or {}).get("error_budget")
    yield "error budget", None if budget is None else budget_words(budget)


def _acts(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Give the last acts, a line each, the newest last."""
    for event in reversed(told["events"][:LAST_ACTS]):
        at = moment(event["at"]).split()[1]
        yield indented(_cut(line((at, "dim"), "  ") + act(event, told)))


def _cut(text: Text) -> Text:
    """Keep a text on one line, whatever of it finds no place there."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
