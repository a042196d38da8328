"""A rollout in figures: its steps, its time, both sides, and every guardrail and signal with its verdict."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.rollout_text import STYLES, span, step_share
from gateway.cli.terminal import INDENT, UNFOLDED, line, share
from gateway.core.experiment_metrics import measure_of, shown
from gateway.core.metric import SHARES, is_better_high
from gateway.core.outcome import JUDGED
from gateway.core.split_check import BROKEN_P

VERDICT_STYLES: Mapping[str, str] = {
    "breach": "bold red",
    "within": "green",
    "inconclusive": "yellow",
    "no_data": "dim",
}

LIMITS: Mapping[str, str] = {"max_delta": "{}", "max_ratio": "{}", "max": "max {}", "min": "min {}"}
"""How each limit of a guardrail or signal is written, with its value."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The evidence that is shown of a rollout: that of now, or that of its latest act that rests on some."""

    evidence: Mapping[str, Any]
    event: Mapping[str, Any] | None = None


def shown_of(told: Mapping[str, Any]) -> Shown | None:
    """Give the newest evidence of a rollout as the operations API explains it."""
    if told.get("judged") is not None:
        return Shown(told["judged"])
    found = (event for event in told["events"] if "candidate" in (event["evidence"] or {}))
    return next((Shown(event["evidence"], event) for event in found), None)


def steps_row(told: Mapping[str, Any]) -> Text:
    """Show the plan's steps, the one that a rollout has come to in brackets."""
    here, style = told["step"], STYLES.get(told["state"], "")
    row = Text()
    for number, step in enumerate(told["plan_steps"], 1):
        is_past = told["state"] == "completed" or (here is not None and number < here)
        if number > 1:
            row.append(" → ", "dim")
        if number == here and told["state"] != "completed":
            row.append(f"[{step_share(step)}]", f"bold {style}")
        else:
            row.append(step_share(step), "" if is_past else "dim")
    return row


def time_words(judged: Mapping[str, Any]) -> str:
    """Say how long a step has lasted and how long it still must."""
    elapsed, whole = judged["elapsed_seconds"], judged["step_seconds"]
    since = judged["since_answer_seconds"]
    silence = f"; newest answer {span(since)} ago" if since >= NOTABLE_SILENCE else ""
    if whole is None:
        return f"watched for {span(elapsed)} since it was completed{silence}"
    if not whole:
        return f"{span(elapsed)}, of no time to hold{silence}"
    left = whole - elapsed
    return f"{span(elapsed)} of {span(whole)}, {f'{span(left)} left' if left > 0 else 'its time is over'}{silence}"


NOTABLE_SILENCE = 10.0
"""Seconds without an answer that are worth a word."""


def split_words(p: float) -> Text:
    """Say whether the sides' units are shared as the split says, by the probability that chance alone did it."""
    if p < BROKEN_P:
        return line(("broken", "red"), f" (p = {p:.1g})")
    return line(f"as it should be (p = {p:.2g})")


def fleet_words(hand_overs: Mapping[str, int]) -> Text:
    """Say that the evidence is of all gateways, and how much of what they said was not heard here."""
    missed = hand_overs["missed"]
    style = "yellow" if missed else ""
    return line(f"{hand_overs['heard']:,} hand-overs of its gateways counted, ", (f"{missed:,} missed", style))


def budget_words(budget: Mapping[str, Any]) -> Text:
    """Say what is left of a route's error budget, how fast it burns, and what the canary took of it."""
    burns = [budget["long_burn"], budget["short_burn"]]
    burning = "nothing asked lately" if None in burns else f"burns at {burns[0]:.2g}x, lately {burns[1]:.2g}x"
    style = "red" if budget["must_stop"] else "yellow" if budget["must_hold"] or not budget["may_advance"] else ""
    return line(
        (f"{budget['remaining']:.0%} left", style),
        f" of {1 - budget['success']:.2%} over {span(budget['period_seconds'])}; {burning};",
        f" the canary took {budget['canary_used']:.1%} of its {budget['canary_share']:.0%}",
    )


def sides(told: Mapping[str, Any], found: Shown, columns: int) -> Iterator[Table]:
    """Make a table of both sides, or several of them where there is no room for one."""
    stable, candidate = found.evidence["stable"], found.evidence["candidate"]
    other = ("before", "dim") if found.evidence["is_baseline"] else ("stable", "green")
    mine = ("stable", "green") if told["state"] == "completed" else ("candidate", "cyan")
    labels = [line(f"{told['from']} ", other), line(f"{told['candidate']} ", mine)]
    pairs = {**_weights(told, found), **_rows(stable, candidate), **_schema(found.evidence)}
    pairs |= _feedback(stable, candidate)
    pairs = {name: pair for name, pair in pairs.items() if name not in OPTIONAL or any(pair)}
    dense = _side_table(labels, pairs, gap=1)
    if fits(dense, columns) and not fits(_side_table(labels, pairs), columns):
        yield dense
        return
    placed: _Pairs = {}
    for name, pair in pairs.items():
        if placed and not fits(_side_table(labels, {**placed, name: pair}), columns):
            yield _side_table(labels, placed)
            placed = {}
        placed[name] = pair
    yield _side_table(labels, placed)


def findings_table(told: Mapping[str, Any], found: Shown | None, columns: int) -> Table:
    """Make a table of every guardrail and signal, with how many outcomes its values are of."""
    roomy = _findings_table(told, found, between=" ", gap=2)
    return roomy if fits(roomy, columns) else _findings_table(told, found, between="\n", gap=1)


def short_findings_table(told: Mapping[str, Any], found: Shown | None, columns: int) -> Table:
    """Make the same with the values alone."""
    roomy = _findings_table(told, found, between=None, gap=2)
    return roomy if fits(roomy, columns) else _findings_table(told, found, between=None, gap=1)


def rules(told: Mapping[str, Any], found: Shown | None) -> Iterator[tuple[str, Text]]:
    """Give each judged guardrail and signal with the rule that decided, in words."""
    for kind, criterion in criteria(told):
        finding = _finding(found, kind, criterion)
        if finding is not None:
            style = VERDICT_STYLES[finding["verdict"]] if finding["verdict"] == "breach" else ""
            yield name_of(criterion), line((finding["rule"], style))


def criteria(told: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the guardrails that hold now, the plan's and the step's own, then the signals."""
    step = told["step"]
    own = [] if step is None else told["plan_steps"][step - 1]["guardrails"]
    yield from (("guardrail", each) for each in [*told["guardrails"], *own])
    yield from (("signal", each) for each in told["signals"])


def name_of(criterion: Mapping[str, Any]) -> str:
    """Name a guardrail or signal by its metric."""
    over = criterion.get("over")
    return criterion["metric"] if over is None else f"{criterion['metric']} >{over:g}s"


def fits(table: RenderableType, columns: int) -> bool:
    """Say whether a table can stand, indented, in so many columns without folding."""
    return Console(width=UNFOLDED).measure(table).maximum + INDENT <= columns


# Both sides

_Cell = Callable[[Mapping[str, Any]], str | None]


def _time(name: str) -> _Cell:
    def cell(tally: Mapping[str, Any]) -> str | None:
        seconds = tally[name]
        if seconds is None:
            return None
        return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"

    return cell


def _requests(tally: Mapping[str, Any]) -> str:
    return f"{sum(tally['outcomes'].get(outcome, 0) for outcome in JUDGED):,}"


def _failed(tally: Mapping[str, Any]) -> str | None:
    return shown("error_rate", tally["failed"] / tally["judged"]) if tally["judged"] else None


def _tokens(tally: Mapping[str, Any]) -> str | None:
    return None if tally["tokens_per_request"] is None else f"{tally['tokens_per_request']:,.0f}"


def _cost(tally: Mapping[str, Any]) -> str | None:
    mean = tally["cost_per_request_usd"]
    return None if mean is None else _value("cost_per_request", mean)


CELLS: Mapping[str, _Cell] = {
    "requests": _requests,
    "units": lambda tally: f"{tally['units']:,}",
    "failed": _failed,
    "p50": _time("p50_seconds"),
    "p95": _time("p95_seconds"),
    "first token": _time("first_token_p50_seconds"),
    "tokens": _tokens,
    "cost": _cost,
    "cost unknown": lambda tally: f"{tally['cost_unknown']:,}" if tally["cost_unknown"] else None,
}

OPTIONAL = frozenset({"first token", "tokens", "cost", "cost unknown", "valid"})
"""Columns that are left out where neither side has anything to show."""

_Pairs = dict[str, tuple[str | None, str | None]]


def _rows(stable: Mapping[str, Any], candidate: Mapping[str, Any]) -> _Pairs:
    return {name: (cell(stable), cell(candidate)) for name, cell in CELLS.items()}


def _weights(told: Mapping[str, Any], found: Shown) -> _Pairs:
    """The shares of now; those of an act long ago are told by the act."""
    if found.event is not None:
        return {}
    shadow = told.get("shadow_ppm", 0)
    if shadow:
        return {"copied": (None, share(shadow))}
    return {"weight": (share(1_000_000 - told["weight_ppm"]), share(told["weight_ppm"]))}


def _schema(evidence: Mapping[str, Any]) -> _Pairs:
    """How many answers followed their schema, which the judgement of schema_valid knows."""
    found = (each for each in evidence.get("findings", ()) if each["criterion"]["metric"] == "schema_valid")
    finding = next(found, {"stable": None, "candidate": None})
    stable, candidate = (None if value is None else shown("schema_valid", value) for value in _values(finding))
    return {"valid": (stable, candidate)}


def _feedback(stable: Mapping[str, Any], candidate: Mapping[str, Any]) -> _Pairs:
    names = dict.fromkeys((*stable["feedback"], *candidate["feedback"]))
    sides = (stable["feedback"], candidate["feedback"])
    return {f"{name} (n)": (_said(sides[0].get(name)), _said(sides[1].get(name))) for name in names}


def _said(feedback: Mapping[str, Any] | None) -> str | None:
    return None if feedback is None else f"{feedback['mean']:.3g} ({feedback['n']:,})"


def _side_table(labels: Sequence[Text], pairs: _Pairs, gap: int = 2) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    made.add_column("release", no_wrap=True)
    for name in pairs:
        made.add_column(line(name), justify="right", no_wrap=True)
    for place, label in enumerate(labels):
        made.add_row(label, *(line(pair[place] or "-") for pair in pairs.values()))
    return made


# Guardrails and signals


def _findings_table(told: Mapping[str, Any], found: Shown | None, *, between: str | None, gap: int) -> Table:
    """`between` stands between a value and how many outcomes it is of; None leaves these out."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    count = "" if between is None else f"{between}(n)"
    headings = ["guardrail", f"stable{count}", f"candidate{count}", "bound", "limit", "e-value", "verdict"]
    for place, heading in enumerate(headings):
        is_figure = 0 < place < len(headings) - 1
        made.add_column(heading, justify="right" if is_figure else "left", no_wrap=place > 0, overflow="fold")
    before = "guardrail"
    for kind, criterion in criteria(told):
        if kind != before:
            made.add_row(line((kind, "dim")))
            before = kind
        finding = _finding(found, kind, criterion)
        made.add_row(line(name_of(criterion)), *_cells(criterion, finding, between))
    return made


def _finding(found: Shown | None, kind: str, criterion: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for finding in () if found is None else found.evidence.get("findings", ()):
        of = {name: value for name, value in finding["criterion"].items() if value is not None}
        if finding["kind"] == kind and of == criterion:
            return finding  # type: ignore[no-any-return]  # JSON
    return None


def _cells(criterion: Mapping[str, Any], finding: Mapping[str, Any] | None, between: str | None) -> Iterator[Text]:
    if finding is None:
        yield from (line("-"), line("-"), line("-"))
        limits = (_limit(criterion["metric"], name, criterion[name]) for name in LIMITS if name in criterion)
        yield from (line(", ".join(limits)), line("-"), line(("-", "dim")))
        return
    metric, verdict = criterion["metric"], finding["verdict"]
    limit = finding["limit_name"]
    for value, outcomes in zip(_values(finding), (finding["stable_n"], finding["candidate_n"]), strict=True):
        count = "" if between is None or value is None else f"{between}({outcomes:,})"
        yield Text.assemble(line(_value(metric, value)), (count, "dim"))
    yield line("-" if finding["bound"] is None else _limit(metric, limit, finding["bound"]).removeprefix(f"{limit} "))
    yield line("-" if finding["limit"] is None else _limit(metric, limit, finding["limit"]))
    yield line(_e_value(finding))
    yield line((verdict.replace("_", " "), VERDICT_STYLES.get(verdict, "")))


def _values(finding: Mapping[str, Any]) -> tuple[float | None, float | None]:
    return finding["stable"], finding["candidate"]


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    told = shown(metric, value)
    return f"${told.removesuffix(measure_of(metric))}" if metric == "cost_per_request" else told


def _limit(metric: str, name: str, value: float) -> str:
    """Write a limit, or a bound in its terms; how much worse than stable with the sign of worse."""
    if name == "max_ratio":
        return f"{value:.3g}x"
    if name == "max_delta":
        worse = -value if is_better_high(metric) else value
        sign = "-" if worse < 0 else "+"
        return f"{sign}{_hundredths(abs(worse))} pt" if metric in SHARES else f"{sign}{_value(metric, abs(worse))}"
    return LIMITS[name].format(f"{_hundredths(value)}%" if metric in SHARES else _value(metric, value))


def _hundredths(share: float) -> str:
    return f"{share * 100:.2f}".rstrip("0").rstrip(".")


def _e_value(finding: Mapping[str, Any]) -> str:
    """Write how far a test has come; one that has gone far beyond its threshold in short."""
    if finding["e_value"] is None or finding["threshold"] is None:
        return "-"
    e_value, needed = finding["e_value"], f"{finding['threshold']:.4g}"
    if e_value >= 1e6:
        return f"{e_value:.0e} of {needed}".replace("e+0", "e").replace("e+", "e")
    return f"{e_value:,.0f} of {needed}" if e_value >= 10 else f"{e_value:.2g} of {needed}"
