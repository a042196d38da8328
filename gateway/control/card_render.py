"""A card filled in with what its releases have shown on live requests."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from gateway.control.card_sections import sections_in
from gateway.control.policy_text import stays_text
from gateway.core.card import ENOUGH, Card, MeasuredFigure, Measurement

BEGIN = "<!-- pinion card render writes from here -->"
END = "<!-- to here -->"

LIVE = "live requests"
"""What stands for a dataset where figures are measured."""

_LOST = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""Characters that YAML takes for the end of a line, or for none, unless they are escaped."""

_WRITTEN = re.compile(rf"\n*{re.escape(BEGIN)}.*?{re.escape(END)}\n?", re.DOTALL)


def figures_in(told: Mapping[str, Any]) -> Iterator[MeasuredFigure]:
    """Take the figures out of what the operations API tells of a release, each with the number that it rests on."""
    release, requests = f"{told['route']}/{told['release']}", told["requests"]
    yield MeasuredFigure(release, "requests", float(requests), requests)
    rate, cost, tokens = told["error_rate"], told["cost_per_1000_requests_usd"], told["tokens"]
    yield MeasuredFigure(release, "error_rate", rate["value"], rate["n"])
    for metric in ("seconds", "first_token_seconds"):
        for name, value in told[metric].items():
            if name != "n":
                yield MeasuredFigure(release, f"{metric}_{name}", value, told[metric]["n"])
    yield MeasuredFigure(release, "cost_per_1000_requests_usd", cost["value"], cost["n"], cost["unknown"])
    for kind in ("input", "output"):
        known = float(tokens[kind]) if tokens["n"] else None
        yield MeasuredFigure(release, f"{kind}_tokens", known, tokens["n"], tokens["unknown"])


def rendered(card: Card, measured: Measurement) -> str:
    """Write a card with measured figures, in place of those of the last time."""
    front = {**card.front, "model-index": _model_index(card, measured)}
    front["governance"] = {**card.front["governance"], "measured": _block(measured)}
    written = yaml.dump(front, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{written}---\n{_body(card, measured)}"


def shown_value(value: float | None) -> str:
    """Write a value for people; what is undefined is said to be, and is not 0."""
    return "undefined" if value is None else f"{value:.6g}"


def group_note(n: int) -> str:
    """Say of a group that is too small that it is."""
    return "insufficient" if n < ENOUGH else ""


def _block(measured: Measurement) -> dict[str, Any]:
    figures = [
        {
            "release": each.release,
            "metric": each.metric,
            **({} if each.value is None else {"value": _number(each.value)}),
            "n": each.n,
            **({"unknown": each.unknown} if each.unknown else {}),
        }
        for each in measured.figures
    ]
    return {"since": measured.since, "until": measured.until, "figures": figures}


def _model_index(card: Card, measured: Measurement) -> list[Any]:
    """Give the Hub's index of results, those of other names kept; what is undefined has no place there."""
    results = [
        _result(card, each.dataset or each.name, each.metric, each.value)
        for each in card.evaluations
        if each.value is not None and each.group is None
    ]
    results += [
        _result(card, f"{LIVE} of {each.release}", each.metric, each.value)
        for each in measured.figures
        if each.value is not None
    ]
    known = card.front.get("model-index")
    others = [
        each
        for each in (known if isinstance(known, list) else [])
        if not (isinstance(each, Mapping) and each.get("name") == card.subject)
    ]
    return [*others, {"name": card.subject, "results": results}]


def _result(card: Card, dataset: str, metric: str, value: float) -> dict[str, Any]:
    task = str(card.front.get("pipeline_tag", "text-generation"))
    kind = re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-") or "dataset"
    return {
        "task": {"type": task},
        "dataset": {"name": dataset, "type": kind},
        "metrics": [{"type": metric, "value": _number(value)}],
    }


def _number(value: float) -> float:
    """Give a value as it is best written: a whole one without its point."""
    return int(value) if value.is_integer() else value


def _body(card: Card, measured: Measurement) -> str:
    """Put the tables at the end of the section Evaluation, which is added where there is none."""
    text = _WRITTEN.sub("\n", card.text).rstrip("\n")
    tables = "\n".join((BEGIN, "", *_tables(card, measured), END))
    found = next((section for section in sections_in(text) if section.name == "Evaluation"), None)
    if found is None:
        return f"{text}\n\n## Evaluation\n\n{tables}\n".lstrip("\n")
    lines = text.split("\n")
    before = "\n".join(lines[: found.end]).rstrip("\n")
    after = "\n".join(lines[found.end :])
    return f"{before}\n\n{tables}\n" + (f"\n{after}\n" if after else "")


def _tables(card: Card, measured: Measurement) -> Iterator[str]:
    yield f"Measured on live requests from {_cell(measured.since)} to {_cell(measured.until)}:"
    yield ""
    yield from _table(
        ("release", "metric", "value", "n", ""),
        (
            (
                each.release,
                each.metric,
                shown_value(each.value),
                each.n,
                f"unknown for {each.unknown}" if each.unknown else "",
            )
            for each in measured.figures
        ),
    )
    yield ""
    groups = card.evaluations_by_group
    if groups:
        yield f"By group; under {ENOUGH} cases a figure says too little:"
        yield ""
        yield from _table(
            ("metric", "group", "value", "n", ""),
            ((each.metric, each.group, shown_value(each.value), each.n, group_note(each.n)) for each in groups),
        )
        yield ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    for row in (headings, ["---"] * len(headings), *rows):
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(value: Any) -> str:
    """Write a text so that it stays within its cell, and opens no comment or tag."""
    text = re.sub(r"\s+", " ", str(value))
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


class _Dumper(yaml.SafeDumper):
    """Writes YAML that policies may use: without aliases, and text so that it stays text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        del data
        return True


def _written_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"'
    if stays_text(text) and not _LOST.search(text):
        style = "|" if "\n" in text else ""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _written_text)
