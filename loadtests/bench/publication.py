"""The page and the picture: a marked block of docs/benchmarks.md is written anew, the rest of it is left alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtests.bench.chart import chart, panel
from loadtests.bench.report import Run, scenario_grid, verdict_grid
from loadtests.bench.rounds import Series, median_of
from loadtests.bench.verdicts import PINION, Verdict

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

PAGE, PICTURE = "benchmarks.md", "pictures/benchmarks.svg"


def publish(docs: Path, run: Run, held: Sequence[Verdict]) -> None:
    """Write the block and the picture below a folder of documentation."""
    page = docs / PAGE
    page.write_text(with_block(page.read_text(encoding="utf-8"), "\n".join(block(run, held))), encoding="utf-8")
    (docs / PICTURE).write_text(picture(run), encoding="utf-8")


def with_block(page: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Put a text between the marks of a page, or at its end with marks when it has none."""
    marked = f"{begin}\n\n{text.strip()}\n\n{end}"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        return f"{page.rstrip()}\n\n{marked}\n"
    return f"{before}{marked}{after}"


def block(run: Run, held: Sequence[Verdict]) -> Iterator[str]:
    """Give the lines of the block: date, machine, figures, picture, a table a scenario, versions, what is missing."""
    yield f"Measured on {run.date:%d %B %Y}, {run.settings['rounds']} rounds of {run.settings['seconds']:g} s, on"
    yield f"{_machine(run)}."
    if held:
        yield from ("", verdict_grid(held).as_markdown())
    yield from ("", f"![CPU of Pinion and its peers, for a request and for a streamed event]({PICTURE})")
    for name, series in run.results.items():
        yield from ("", scenario_grid(name, series).as_markdown())
    yield from ("", "### Versions", "", "| | |", "|---|---|")
    yield from (f"| {name} | {version} |" for name, version in run.versions.items())
    for name, reason in run.missing.items():
        yield f"| {name} | missing: {_cell(reason)} |"
    for name, reason in run.faults.items():
        yield from ("", f"Left out, `{name}`: {_cell(reason)}")


def picture(run: Run) -> str:
    """Draw CPU for a request and for an event."""
    return chart(
        "Pinion and its peers, one core each: less is better",
        f"{run.date:%d %B %Y}, medians of {run.settings['rounds']} interleaved rounds, {run.machine['cpu']}",
        [
            panel("CPU for a request", "microseconds", _cpu(run.results.get("json-64", {})), PINION),
            panel("CPU for a streamed event", "microseconds", _cpu(run.results.get("events", {})), PINION),
        ],
    )


def _cpu(series: Series) -> dict[str, float | None]:
    return {system: median_of(series, system, "cpu_us") for system in series}


def _machine(run: Run) -> str:
    told = run.machine
    size = f"{told['cores']} cores, {told['memory_gb']} GB"
    return f"{told['cpu']}, {size}, {told['system']}, {told['kernel']}, {told['python']}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
