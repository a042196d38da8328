"""The chart: CPU for a request and for an event, as horizontal bars in an SVG picture, written by hand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH = 860
MARGIN = 28
LABELS = 130
NUMBERS = 90
BAR, STEP = 18, 28
HEAD = 74
TITLE = 46

LONGEST = 5.0
"""How many times Pinion's bar the scale holds: a longer bar is drawn cut, its number tells."""

INK, FAINT, LINE = "#1f2328", "#656d76", "#d0d7de"
OWN, PEER = "#0969da", "#8c959f"


@dataclass(frozen=True, slots=True)
class Bar:
    """One system's value."""

    name: str
    value: float
    own: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled group of bars, all in one unit."""

    title: str
    unit: str
    bars: Sequence[Bar]


def panel(title: str, unit: str, values: Mapping[str, float | None], own: str) -> Panel:
    """Make a panel of the values that there are, the smallest first."""
    measured = {name: value for name, value in values.items() if value is not None}
    ordered = sorted(measured.items(), key=lambda item: item[1])
    return Panel(title, unit, [Bar(name, value, name == own) for name, value in ordered])


def chart(heading: str, note: str, panels: Sequence[Panel]) -> str:
    """Draw the picture."""
    shown = [one for one in panels if one.bars]
    height = HEAD + sum(TITLE + STEP * len(one.bars) for one in shown) + MARGIN
    told = "; ".join(
        f"{one.title}: " + ", ".join(f"{bar.name} {_number(bar.value)} {one.unit}" for bar in one.bars) for one in shown
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label={quoteattr(f"{heading}. {told}")}'
        ' font-family="-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff" stroke="{LINE}"/>',
        _text(MARGIN, 36, heading, INK, 18, weight=600),
        _text(MARGIN, 58, note, FAINT, 12),
    ]
    top = HEAD
    for one in shown:
        lines += _panel(one, top)
        top += TITLE + STEP * len(one.bars)
    return "\n".join([*lines, "</svg>", ""])


def _panel(one: Panel, top: int) -> Iterator[str]:
    yield _text(MARGIN, top + 26, f"{one.title}, {one.unit}", INK, 14, weight=600)
    room = WIDTH - 2 * MARGIN - LABELS - NUMBERS
    scale = _scale(one.bars)
    left = MARGIN + LABELS
    for place, bar in enumerate(one.bars):
        y = top + TITLE + place * STEP
        length = max(2.0, min(1.0, bar.value / scale) * room)
        weight = 600 if bar.own else 400
        yield _text(left - 10, y + 14, bar.name, INK, 13, weight=weight, anchor="end")
        yield (
            f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{OWN if bar.own else PEER}"/>'
        )
        if bar.value > scale:
            cut = left + room - 26
            yield f'<path d="M{cut} {y + BAR + 2} l8 -{BAR + 4} h6 l-8 {BAR + 4} z" fill="#ffffff"/>'
        yield _text(left + length + 8, y + 14, _number(bar.value), INK, 13, weight=weight)


def _scale(bars: Sequence[Bar]) -> float:
    longest = max(bar.value for bar in bars)
    own = next((bar.value for bar in bars if bar.own), None)
    return longest if own is None else max(own, min(longest, own * LONGEST))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _text(x: float, y: float, text: str, colour: str, size: int, *, weight: int = 400, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )
