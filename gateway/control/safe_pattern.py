"""Safe patterns: regular expressions that a backtracking matcher answers soon, on 256 characters of any text.

What is refused is refused by its form, so that some harmless patterns are, too.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<back>\\[1-9]|\\k|\(\?P=|\(\?\()|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?(?:P?<[A-Za-z_]\w*>"
    r"|<?[=!]|[a-zA-Z-]*:|>|[a-zA-Z]+(?=\))))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<times>[*+?]|\{\d*,?\d*\})|(?P<other>.)",
    re.DOTALL,
)
_MOST_WIDE, _MOST_CHOICES, _MOST_COPIES = 3, 12, 4


@dataclass(slots=True)
class _Part:
    """What a group, or the last thing in it, may choose: wide repetitions, and small choices such as `?` and `|`."""

    wide: int = 0
    choices: int = 0
    has_bar: bool = False

    def add(self, other: "_Part") -> None:
        self.wide += other.wide
        self.choices += other.choices + other.has_bar


def problem_of(pattern: str) -> str | None:
    """Say why a pattern may take long, and what to write instead; None where it cannot."""
    groups, last = [_Part()], _Part()
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token.group()
        if kind == "back":
            return "it refers back to a group; write out what may stand there"
        if kind != "times":
            last = _take(groups, last, kind)
        elif not _repeat(last, text):
            return "it repeats what repeats or has alternatives; write [...] in place of (...), or a list with items"
    groups[-1].add(last)
    whole = _Part()
    for group in groups:
        whole.add(group)
    is_anchored = pattern.startswith("^") and not groups[0].has_bar
    if whole.wide + (not is_anchored) > _MOST_WIDE:
        return f"it has over {_MOST_WIDE} wide repetitions such as * and +; begin it with ^, or split the string up"
    if whole.choices > _MOST_CHOICES:
        return f"it has over {_MOST_CHOICES} choices such as ? and |; write an enum, or split the string up"
    return None


def _take(groups: list[_Part], last: _Part, kind: str | None) -> _Part:
    """Go on behind the last thing, and give what may now be repeated."""
    groups[-1].add(last)
    if kind == "open":
        groups.append(_Part())
    elif kind == "close" and len(groups) > 1:
        return groups.pop()
    elif kind == "bar":
        groups[-1].has_bar = True
    return _Part()


def _repeat(part: _Part, times: str) -> bool:
    """Let a part be repeated; False where that may take exponential time."""
    low, high = _range(times)
    inner = part.wide + part.choices + part.has_bar
    if high is None or high > _MOST_COPIES:
        if inner:
            return False
        part.wide += low != high
    else:
        part.wide *= high
        part.choices = (part.choices + part.has_bar) * high + high - low
        part.has_bar = False
    return True


def _range(times: str) -> tuple[int, int | None]:
    """How often a quantifier repeats, at least and at most; one that is no quantifier is taken for a wide one."""
    if times in {"*", "+", "?"}:
        return (times == "+", 1 if times == "?" else None)
    low, comma, high = times[1:-1].partition(",")
    if not comma:
        return (int(low), int(low)) if low else (0, None)
    return int(low or 0), int(high) if high else None
