"""What a soak tells when it is over: a table of gates, figures beside it, a JSON document, and docs/soak.md."""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loadtests.bench.publication import with_block
from loadtests.bench.report import Grid
from loadtests.soak.findings import Findings
from loadtests.soak.gates import Gate
from loadtests.soak.picture import picture

PAGE, PICTURE = "soak.md", "pictures/soak.svg"

BEGIN, END = "<!-- soak:begin -->", "<!-- soak:end -->"


def gates_grid(judged: Sequence[Gate]) -> Grid:
    """Lay the gates out."""
    rows = [(gate.name, gate.wanted, gate.measured, gate.verdict) for gate in judged]
    return Grid("Gates", ("gate", "wanted", "measured", "verdict"), rows)


def figures_grid(found: Findings) -> Grid:
    """Lay out what is told and not judged."""
    return Grid("Beside them", ("figure", "measured"), list(_figures(found)))


def _figures(found: Findings) -> Iterator[tuple[str, str]]:
    plan, first = found.plan, found.loads[0]
    seconds = " and ".join(f"{load.seconds / 60:.0f}" for load in found.loads)
    under_way = [look.requests for look in first.looks if look.at >= first.began + first.seconds / 3]
    held = statistics.mean(under_way) * plan.workers if under_way else 0
    yield "requests under way, mean of the first load", f"{held:,.0f}"
    yield "loads", f"{seconds} min, {plan.pace.slots:,} streams held, an event each {plan.pace.every:g} s"
    account = found.account
    yield "requests", account.told()
    yield "broken off before they were read", f"{account.unseen:,}"
    yield "connections that asked nothing", f"{found.touches:,}"
    acts = [name for load in found.loads for _, name in load.acts]
    faults = ", ".join(f"{acts.count(f'{name} begins')} {name}" for name in ("redis", "postgres", "resets"))
    yield "reloads, faults", f"{acts.count('reload')} reloads; {faults}"
    for worker in found.workers:
        looks = [look for look in first.looks if look.worker == worker]
        memory = [look.rss_kb / 1024 for look in looks]
        lags = sorted(look.lag * 1000 for look in looks)
        requests = max(look.requests for look in looks)
        told = f"{statistics.median(memory):.0f} MB, most {max(memory):.0f}; {requests:,} requests"
        yield (
            f"worker {worker}",
            f"{told}; lag p50 {lags[len(lags) // 2]:.0f}, p99 {lags[int(len(lags) * 0.99)]:.0f} ms",
        )
    late = sorted(found.lag)
    yield (
        "the generator's own lag",
        f"p50 {late[len(late) // 2] * 1000:.0f}, p99 {late[int(len(late) * 0.99)] * 1000:.0f} ms",
    )


def document(found: Findings, judged: Sequence[Gate]) -> dict[str, Any]:
    """Give all of it for machines."""
    return {"gates": [gate.as_json() for gate in judged], **found.as_json()}


def publish(docs: Path, found: Findings, judged: Sequence[Gate]) -> None:
    """Write the block and the picture below a folder of documentation."""
    page = docs / PAGE
    text = with_block(page.read_text(encoding="utf-8"), block(found, judged), BEGIN, END)
    page.write_text(text, encoding="utf-8")
    (docs / PICTURE).write_text(picture(found), encoding="utf-8")


def block(found: Findings, judged: Sequence[Gate]) -> str:
    """Give the block: date, machine, picture, both tables."""
    told = found.machine
    machine = f"{told['cores']} cores ({told['cpu']}), {told['memory_gb']} GB, {told['kernel']}, {told['python']}"
    return "\n\n".join(
        (
            f"{found.date:%d %B %Y}, on {machine}; clients, provider and databases were on the same machine.",
            f"![Memory of each worker over time]({PICTURE})",
            gates_grid(judged).as_markdown(),
            figures_grid(found).as_markdown(),
        )
    )
