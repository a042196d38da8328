"""What a run tells: a JSON document, tables on a terminal, and the same tables in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from loadtests.bench.regression import Comparison
from loadtests.bench.rounds import Series, errors_of, median_of, median_ratio
from loadtests.bench.verdicts import PINION, Results, Verdict

TITLES = {
    "json-64": "Whole answers: 64 connections, 1 KB",
    "json-1": "Whole answers: 1 connection, 1 KB",
    "json-512": "Whole answers: 512 connections, 1 KB",
    "json-100k": "Whole answers: 64 connections, 100 KB",
    "tls": "TLS to the upstream: 64 connections, 1 KB",
    "routes": "Many routes: 64 connections, 1 KB, every route in turn",
    "events": "Streams: 100 open, 66 events each, one every 5 ms",
    "events-tls": "Streams over TLS to the upstream",
    "first-token": "Added first-token latency: 50 new streams a second",
    "paced": "Added latency at a fixed 1,000 requests a second",
    "waiting": "Streams that wait: memory of each",
    "start": "Start with 1,000 routes",
    "reload": "A reload of 1,000 routes at 1,000 requests/s",
}

COLUMNS = {
    "per_second": ("requests/s", ",.0f"),
    "events_per_second": ("events/s", ",.0f"),
    "cpu_us": ("CPU us each", ",.1f"),
    "p50_ms": ("p50 ms", ",.2f"),
    "p99_ms": ("p99 ms", ",.2f"),
    "added_p50_ms": ("added p50 ms", ",.2f"),
    "added_p99_ms": ("added p99 ms", ",.2f"),
    "gap_ms": ("longest gap ms", ",.1f"),
    "during_p99_ms": ("p99 ms while it reads", ",.2f"),
    "seconds": ("seconds", ",.2f"),
    "streams_open": ("streams", ",.0f"),
    "kb_per_stream": ("KB a stream", ",.1f"),
    "memory_mb": ("memory MB", ",.0f"),
}
"""The figures that tables show, in this order: heading and format."""

RATIO_OF = ("cpu_us", "kb_per_stream")
"""The figures whose ratio to Pinion a table ends with: the first that it has."""


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run found."""

    date: datetime
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    missing: Mapping[str, str]
    faults: Mapping[str, str]
    settings: Mapping[str, Any]
    results: Results

    def as_json(self, verdicts: Sequence[Verdict], comparisons: Sequence[Comparison] = ()) -> dict[str, Any]:
        """Give the document: every sample, the medians, and what was judged."""
        return {
            "date": self.date.isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "missing": dict(self.missing),
            "faults": dict(self.faults),
            "settings": dict(self.settings),
            "scenarios": {name: _scenario_json(series) for name, series in self.results.items()},
            "figures": [verdict.as_json() for verdict in verdicts],
            "comparisons": [comparison.as_json() for comparison in comparisons],
        }


def _scenario_json(series: Series) -> dict[str, Any]:
    return {
        system: {
            "rounds": [dict(sample) for sample in samples],
            "errors": errors_of(series, system),
            "median": {
                figure: median_of(series, system, figure)
                for figure in sorted({figure for sample in samples for figure in sample} - {"errors"})
            },
        }
        for system, samples in series.items()
    }


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it has a form: the first column is a name, the others are numbers or words."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_table(self) -> Table:
        """Give it for a terminal."""
        made = Table(title=self.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for place, heading in enumerate(self.headings):
            made.add_column(heading, justify="right" if place else "left", no_wrap=True)
        for row in self.rows:
            made.add_row(*row)
        return made

    def as_markdown(self) -> str:
        """Give it for a page, with its title as a heading of the third level."""
        lines = [f"### {self.title}", "", _row(self.headings)]
        lines.append(_row(["---", *["--:"] * (len(self.headings) - 1)]))
        return "\n".join([*lines, *(_row(row) for row in self.rows)])


def scenario_grid(name: str, series: Series) -> Grid:
    """Lay out one scenario: a row a system, its medians, and its ratio to Pinion."""
    shown = [figure for figure in COLUMNS if any(figure in sample for samples in series.values() for sample in samples)]
    compared = next((figure for figure in RATIO_OF if figure in shown and PINION in series), None)
    headings = ["", *(COLUMNS[figure][0] for figure in shown)]
    if compared:
        headings.append(f"{COLUMNS[compared][0].removesuffix(' each')}, to Pinion's")
    rows = []
    for system in series:
        if errors := errors_of(series, system):
            cells = [f"{errors:,} errors"] + ["-"] * (len(headings) - 2)
        else:
            cells = [_number(median_of(series, system, figure), COLUMNS[figure][1]) for figure in shown]
            if compared:
                cells.append(_number(median_ratio(series, system, PINION, compared), ".2f", " x"))
        rows.append([system, *cells])
    return Grid(TITLES.get(name, name), headings, rows)


def verdict_grid(verdicts: Iterable[Verdict]) -> Grid:
    """Lay out the figures: must and goal beside what was measured."""
    rows = [
        [
            one.name,
            _limit(one.must, one.unit),
            _limit(one.goal, one.unit),
            "not measured" if one.measured is None else f"{_significant(one.measured)} {one.unit}",
            _word(one),
        ]
        for one in verdicts
    ]
    return Grid("Figures", ["figure", "must", "goal", "measured", "verdict"], rows)


def comparison_grid(comparisons: Iterable[Comparison]) -> Grid:
    """Lay out the quick comparison with the baseline."""
    rows = []
    for one in comparisons:
        word = "WORSE" if one.worse else "no worse"
        if one.now is None:
            word = "peer missing" if one.missing else "WORSE: errors, or no answer"
        elif one.limit is None:
            word = "no baseline"
        cells = (_number(value, ".3f", " x") for value in (one.now, one.baseline, one.limit))
        rows.append([f"CPU per {one.name}", *cells, f"{one.noise:.0%}", word])
    return Grid("Ratios, to the baseline", ["", "now", "baseline", "limit", "noise", "verdict"], rows)


def _word(verdict: Verdict) -> str:
    if verdict.meets_must is False:
        return "MISSED"
    if verdict.meets_goal:
        return "goal met"
    if verdict.meets_must:
        return "must met"
    return "goal missed" if verdict.meets_goal is False else "-"


def _limit(limit: float | None, unit: str) -> str:
    return "-" if limit is None else f"{limit:g} {unit}"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _significant(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
