"""An experiment's report in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import counted, facts, indented, line, moment, share, table, width
from gateway.core.experiment_metrics import measure_of, shown, shown_span

VERDICT_STYLES: Mapping[str, str] = {
    "better": "bold green",
    "worse": "bold red",
    "split_broken": "bold red",
    "changed": "bold red",
    "taken_out": "bold red",
}

ROOMY = 100
"""Columns from which an interval has room beside its estimate."""

SHOWN: Mapping[str, tuple[str, str]] = {
    "better": ("better", "green"),
    "worse": ("worse", "red"),
    "no_difference": ("no difference", ""),
    "not_enough_units": ("not enough units", "dim"),
    "not_believed": ("not believed", "dim"),
}


def story(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tell a report: where the experiment stands, its verdict, its arms, and the effects."""
    yield line((report["route"], "bold"), f" experiment {report['experiment']}: {_standing(report)}")
    verdict = report["verdict"]
    yield line((verdict["text"], VERDICT_STYLES.get(verdict["code"], "bold")))
    yield from ("", indented(table(["arm", "release", "share", "units", "requests", "by others"], _arms(report))))
    names = [effect["arm"] for effect in report["metrics"][0]["effects"]] if report["metrics"] else []
    for arm in names:
        headings = ["metric", report["control"], arm, "difference", "shows"]
        yield from ("", indented(table(headings, _effects(report, arm))))
    yield from ("", indented(facts(_notes(report))))


def _standing(report: Mapping[str, Any]) -> str:
    started, ends = report["started_at"], report["ends_at"]
    since = "its start is not recorded" if started is None else f"since {moment(started)}"
    until = "without a planned end" if ends is None else f"planned to {moment(ends)}"
    return f"{report['state'].replace('_', ' ')}, {since}, {until}"


def _arms(report: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    for arm in report["arms"]:
        is_marked = arm["arm"] == report["control"] != "control"
        name = line((arm["arm"], "bold"), " (control)" if is_marked else "")
        held = "out" if arm["out"] is not None else share(arm["share_ppm"])
        figures = (f"{arm[figure]:,}" for figure in ("units", "requests", "answered_elsewhere"))
        yield (name, arm["release"], held, *figures)


def _effects(report: Mapping[str, Any], arm: str) -> Iterator[Sequence[Any]]:
    for metric in report["metrics"]:
        values = {one["arm"]: one["value"] for one in metric["arms"]}
        effect = next(one for one in metric["effects"] if one["arm"] == arm)
        said, style = SHOWN[effect["shown"]]
        yield (
            _metric(metric),
            _value(metric["metric"], values[report["control"]]),
            _value(metric["metric"], values[arm]),
            _difference(metric["metric"], effect),
            line((said, style)),
        )


def _metric(metric: Mapping[str, Any]) -> Text:
    over = "" if metric["over"] is None else f" over {metric['over']:g}s"
    return line((f"{metric['metric']}{over}", "bold" if metric["role"] == "primary" else ""))


def _value(metric: str, value: float | None) -> str | None:
    """Write a value without its unit, which the difference has."""
    return None if value is None else shown(metric, value).removesuffix(measure_of(metric))


def _difference(metric: str, effect: Mapping[str, Any]) -> Text | None:
    """Write an effect with its interval, below it where there is no room beside."""
    if effect["estimate"] is None:
        return None
    difference, span = shown_span(metric, effect["low"], effect["estimate"], effect["high"])
    between = "\n" if width() < ROOMY else " "
    return Text.assemble(line(difference), between, line((f"({span})", "dim")))


def _notes(report: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    always = "always valid: look whenever you like, and stop when they say something"
    yield "intervals", always if report["interval"] == "always_valid" else "of one look at the planned end"
    yield "certainty", ", ".join(_certainties(report)) or None
    yield "split", _split(report)
    torn, one_in = report["units_in_two_arms"], report["one_in"]
    yield "left out", f"{counted(torn, 'unit')} seen in two arms" if torn else None
    yield "sample", f"one unit in {one_in}, each with all of its requests" if one_in > 1 else None
    yield from ((f"{arm['arm']} is out", arm["out"]) for arm in report["arms"] if arm["out"] is not None)


def _certainties(report: Mapping[str, Any]) -> Iterator[str]:
    for role, words in (("primary", "for the primary metric"), ("secondary", "for each secondary one")):
        found = [metric["alpha"] for metric in report["metrics"] if metric["role"] == role]
        if found:
            yield f"{100 * (1 - found[0]):.4g}% {words}"


def _split(report: Mapping[str, Any]) -> str:
    p = report["sample_ratio"]["p"]
    if p is None:
        return "not checked"
    return f"broken (p = {p:.1g})" if report["sample_ratio"]["broken"] else f"as it should be (p = {p:.2g})"
