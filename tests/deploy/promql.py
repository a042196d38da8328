"""What a PromQL expression names. No parser: it tells names, labels and brackets, which a slip of the pen breaks."""

import re
from dataclasses import dataclass

CLOSING = {")": "(", "]": "[", "}": "{"}

WORDS = frozenset(
    (
        *("and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"),
        *("sum", "min", "max", "avg", "count", "group", "topk", "bottomk", "quantile"),
        *("rate", "irate", "increase", "delta", "absent", "scalar", "vector", "histogram_quantile", "max_over_time"),
    )
)
"""Operators, aggregations and functions of PromQL, as far as they are used here."""


@dataclass(frozen=True, slots=True)
class Named:
    """What an expression names: metrics, and labels in selectors and groupings."""

    metrics: frozenset[str]
    labels: frozenset[str]


def named(expression: str) -> Named:
    """Tell what an expression names.

    Raises:
        ValueError: a bracket or a quotation mark has no counterpart.
    """
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    if '"' in bare:
        raise ValueError(f"a quotation mark is left open: {expression}")
    _check_brackets(bare)
    labels = set()
    for inside in re.findall(r"{([^}]*)}", bare):
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
    grouping = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
    for inside in re.findall(grouping, bare):
        labels |= set(re.findall(r"\w+", inside))
    rest = re.sub(grouping, " ", re.sub(r"{[^}]*}|\[[^\]]*\]|\boffset\s+\w+", " ", bare))
    words = set(re.findall(r"(?<![\w.$])[A-Za-z_:][\w:]*", rest))
    return Named(frozenset(words - WORDS), frozenset(labels))


def _check_brackets(bare: str) -> None:
    waiting: list[str] = []
    for sign in re.findall(r"[()\[\]{}]", bare):
        if sign not in CLOSING:
            waiting.append(sign)
        elif not waiting or waiting.pop() != CLOSING[sign]:
            raise ValueError(f"{sign} closes nothing: {bare}")
    if waiting:
        raise ValueError(f"{waiting[-1]} is left open: {bare}")
