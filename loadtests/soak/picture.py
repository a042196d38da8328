"""The picture of a soak: each worker's memory over time, the loads shaded, and when something was done to it."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from loadtests.bench.chart import FAINT, INK, LINE, OWN
from loadtests.soak.findings import Findings, Load

WIDTH, HEIGHT = 860, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 84, 44

COLOURS = (OWN, "#bc4c00", "#1a7f37", "#8250df")
MARKS = {
    "redis begins": "Redis frozen",
    "postgres begins": "PostgreSQL restarted",
    "resets begins": "provider breaks off",
}
MARK_COLOURS = {"redis begins": "#cf222e", "postgres begins": "#8250df", "resets begins": "#9a6700"}

SHARE_OF_SCALE = 0.1
"""The part of the height that is left above and below what was measured."""


def picture(found: Findings) -> str:
    """Draw it as SVG."""
    plan = found.plan
    heading = "Memory of each worker under load"
    note = (
        f"{found.date:%d %B %Y}: {plan.workers} workers, {plan.pace.slots:,} streams held,"
        f" loads of {' and '.join(f'{load.seconds / 60:.0f}' for load in found.loads)} min"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label={quoteattr(f"{heading}. {note}")}'
        ' font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff" stroke="{LINE}"/>',
        _text(LEFT, 32, heading, INK, 18),
        _text(LEFT, 52, note, FAINT, 12),
    ]
    return "\n".join([*lines, *_legend(found), *_Field(found).lines(), "</svg>", ""])


def _legend(found: Findings) -> Iterator[str]:
    """Name the lines, and the marks."""
    x = float(LEFT)
    named = [(f"worker {worker}", COLOURS[worker % len(COLOURS)]) for worker in found.workers]
    for name, colour in [*named, *((MARKS[mark], colour) for mark, colour in MARK_COLOURS.items())]:
        yield f'<rect x="{x:.0f}" y="62" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 15, 71, name, FAINT, 12)
        x += 34 + 7 * len(name)


class _Field:
    """Where lines are drawn: seconds to the right, MB upwards."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        memory = [look.rss_kb / 1024 for load in found.loads for look in load.looks] or [0.0, 1.0]
        room = max(1.0, (max(memory) - min(memory)) * SHARE_OF_SCALE)
        self._low, self._high = min(memory) - room, max(memory) + room
        self._begin = found.loads[0].began
        self._seconds = found.loads[-1].began + found.loads[-1].seconds - self._begin

    def lines(self) -> Iterator[str]:
        """Draw the scales, the loads, the marks and the memory."""
        for load in self._found.loads:
            begin, end = self._x(load.began), self._x(load.began + load.seconds)
            height = HEIGHT - TOP - BOTTOM
            yield f'<rect x="{begin:.1f}" y="{TOP}" width="{end - begin:.1f}" height="{height}" fill="#f6f8fa"/>'
        for step in range(5):
            mb = self._low + (self._high - self._low) * step / 4
            y = self._y(mb)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LINE}"/>'
            yield _text(LEFT - 8, y + 4, f"{mb:.0f} MB", FAINT, 12, anchor="end")
            seconds = self._seconds * step / 4
            yield _text(self._x(self._begin + seconds), HEIGHT - 20, f"{seconds / 60:.1f} min", FAINT, 12, "middle")
        for load in self._found.loads:
            yield from self._marks(load)
            for worker in self._found.workers:
                yield self._memory(load, worker)

    def _marks(self, load: Load) -> Iterator[str]:
        for seconds, name in load.acts:
            if name in MARK_COLOURS:
                x = self._x(load.began + seconds)
                yield (
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM - 12}" y2="{HEIGHT - BOTTOM}"'
                    f' stroke="{MARK_COLOURS[name]}" stroke-width="2"/>'
                )

    def _memory(self, load: Load, worker: int) -> str:
        points: Sequence[str] = [
            f"{self._x(look.at):.1f},{self._y(look.rss_kb / 1024):.1f}" for look in load.looks if look.worker == worker
        ]
        colour = COLOURS[worker % len(COLOURS)]
        return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    def _x(self, moment: float) -> float:
        return LEFT + (moment - self._begin) / self._seconds * (WIDTH - LEFT - RIGHT)

    def _y(self, mb: float) -> float:
        return HEIGHT - BOTTOM - (mb - self._low) / (self._high - self._low) * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, text: str, colour: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
    )
