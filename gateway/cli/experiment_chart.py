"""The chart of an experiment: each effect with its interval beside no difference, in SVG, written by hand."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from gateway.cli.terminal import moment, printable
from gateway.core.experiment_metrics import measure_of, shown, shown_span

WIDTH = 860
MARGIN = 28
LABELS = 272
NUMBERS = 176
ROW = 50
LINE_HEIGHT = 22
VERDICT_CHARS = 76
MOST_LINES = 5
LABEL_CHARS = 32

INK, FAINT, LINE, PAPER = "#1f2328", "#656d76", "#d0d7de", "#ffffff"
COLOURS: Mapping[str, str] = {
    "better": "#1a7f37",
    "worse": "#cf222e",
    "no_difference": "#6e7781",
    "not_believed": "#6e7781",
}

DARK: Mapping[str, Mapping[str, str]] = {
    "fill": {"ink": "#e6edf3", "faint": "#9198a1", "paper": "#0d1117"},
    "stroke": {"line": "#3d444d"},
    "color": {"better": "#3fb950", "worse": "#f85149", "no_difference": "#9198a1", "not_believed": "#9198a1"},
}
"""What changes where the reader prefers a dark screen, by the class of what is drawn."""


@dataclass(frozen=True, slots=True)
class Row:
    """One effect: what it is of, in words, and its bounds turned so that more is better."""

    title: str
    is_primary: bool
    values: str
    difference: str
    span: str
    shown: str
    bounds: tuple[float, float, float] | None


def chart(report: Mapping[str, Any]) -> str:
    """Draw a report as the operations API gives it."""
    verdict = textwrap.wrap(printable(report["verdict"]["text"]), VERDICT_CHARS, break_on_hyphens=False)[:MOST_LINES]
    rows = list(_rows(report))
    top = 50 + LINE_HEIGHT * (len(verdict) + 2)
    height = top + 30 + ROW * len(rows) + MARGIN
    described = f"{report['verdict']['text']}. {'; '.join(f'{row.title} {row.difference} {row.span}' for row in rows)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label={quoteattr(printable(described))}'
        ' font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f"<style>{_dark()}</style>",
        f'<rect class="paper line" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="{PAPER}"'
        f' stroke="{LINE}"/>',
        *(_text(MARGIN, 42 + LINE_HEIGHT * place, said, size=16, weight=600) for place, said in enumerate(verdict)),
        *(_text(MARGIN, top - 48 + 18 * place, said, size=12, faint=True) for place, said in enumerate(_under(report))),
        *_axis(top, height),
    ]
    for place, row in enumerate(rows):
        parts += _drawn(row, top + 30 + ROW * place)
    return "\n".join([*parts, "</svg>", ""])


def _dark() -> str:
    rules = "".join(f".{name}{{{kind}:{colour}}}" for kind, colours in DARK.items() for name, colour in colours.items())
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def _under(report: Mapping[str, Any]) -> tuple[str, str]:
    """What stands under the verdict: which experiment it is and when, and what it rests on."""
    units = ", ".join(f"{_cut(arm['arm'], 20)} {arm['units']:,}" for arm in report["arms"][:MOST_LINES])
    sort = "always valid" if report["interval"] == "always_valid" else "of one look at the planned end"
    name = f"{_cut(report['route'])}, experiment {_cut(report['experiment'])}, {moment(report['at'])}"
    return name, f"units: {units}; intervals {sort}"


def _rows(report: Mapping[str, Any]) -> Iterator[Row]:
    control = report["control"]
    several = len(report["arms"]) > 2
    for metric in report["metrics"]:
        name, values = metric["metric"], {one["arm"]: one["value"] for one in metric["arms"]}
        for effect in metric["effects"]:
            arm = effect["arm"]
            is_primary = metric["role"] == "primary"
            mark = " (primary)" if is_primary and not several else ""
            of = f"{_cut(arm, 14)}: " if several else ""
            difference, span = _numbers(name, effect)
            yield Row(
                title=f"{of}{_cut(name, LABEL_CHARS - len(of) - len(mark))}{mark}",
                is_primary=is_primary,
                values=_values(name, {one: values[one] for one in (control, arm)}),
                difference=difference,
                span=span,
                shown=effect["shown"],
                bounds=_bounds(metric["better"], effect),
            )


def _bounds(better: str, effect: Mapping[str, Any]) -> tuple[float, float, float] | None:
    if effect["estimate"] is None:
        return None
    low, estimate, high = effect["low"], effect["estimate"], effect["high"]
    return (low, estimate, high) if better == "higher" else (-high, -estimate, -low)


def _axis(top: int, height: int) -> Iterator[str]:
    """The line of no difference, with which side is which."""
    left, right = MARGIN + LABELS, WIDTH - MARGIN - NUMBERS
    middle = (left + right) / 2
    yield _text(middle - 10, top + 6, "worse", size=12, faint=True, anchor="end")
    yield _text(middle + 10, top + 6, "better", size=12, faint=True)
    yield (
        f'<line class="line" x1="{middle:.1f}" x2="{middle:.1f}" y1="{top - 6}" y2="{height - MARGIN + 6}"'
        f' stroke="{LINE}" stroke-width="1.5"/>'
    )


def _drawn(row: Row, top: int) -> Iterator[str]:
    yield _text(MARGIN, top + 12, row.title, size=13, weight=600 if row.is_primary else 400)
    yield _text(MARGIN, top + 29, row.values, size=12, faint=True)
    yield _text(WIDTH - MARGIN, top + 12, row.difference, size=13, anchor="end", faint=row.bounds is None)
    yield _text(WIDTH - MARGIN, top + 29, row.span, size=12, anchor="end", faint=True)
    if row.bounds is None:
        return
    half = (WIDTH - 2 * MARGIN - LABELS - NUMBERS) / 2 - 16
    middle = MARGIN + LABELS + half + 16
    reach = max(abs(bound) for bound in row.bounds) or 1.0
    low, estimate, high = (middle + half * bound / reach for bound in row.bounds)
    y = top + 16
    yield f'<g class="{row.shown}" color="{COLOURS[row.shown]}">'
    yield (
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="currentColor" stroke-width="4"'
        ' stroke-linecap="round"/>'
    )
    yield f'<circle cx="{estimate:.1f}" cy="{y}" r="6" fill="currentColor"/>'
    yield "</g>"


def _values(metric: str, values: Mapping[str, float | None]) -> str:
    """The arms' values, with their unit once."""
    unit = measure_of(metric)
    numbers = {arm: "none" if value is None else shown(metric, value) for arm, value in values.items()}
    return ", ".join(f"{_cut(arm, 14)} {number.removesuffix(unit)}" for arm, number in numbers.items()) + unit


def _numbers(metric: str, effect: Mapping[str, Any]) -> tuple[str, str]:
    if effect["estimate"] is None:
        return "not enough units", ""
    return shown_span(metric, effect["low"], effect["estimate"], effect["high"])


def _cut(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, anchor: str = "start", faint: bool = False
) -> str:
    name, colour = ("faint", FAINT) if faint else ("ink", INK)
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}">{escape(printable(text))}</text>'
    )
