"""A rollout in words: where it stands in one line, what it waits for, and an act on it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from gateway.cli.terminal import counted, line, moment, share
from gateway.core.rollout import CLOSED

STYLES: Mapping[str, str] = {
    "held": "yellow",
    "shadow": "magenta",
    "running": "cyan",
    "baking": "blue",
    "paused": "bold yellow",
    "completed": "green",
    "rolled_back": "red",
    "superseded": "dim",
}

HOLDS: Mapping[str, str] = {
    "not_started": "nobody has started it",
    "no_data": "the candidate has answered nothing",
    "no_outcome": "a guardrail has nothing to judge",
    "min_requests": "too few requests",
    "min_units": "too few units",
    "stale": "no fresh outcomes",
    "inconclusive": "a guardrail is not decided",
    "approval": "a person must promote it",
    "last_step": "its last step is below 100%, a person must promote it",
    "signal": "a signal is breached",
    "sample_ratio": "the split is broken",
    "error_budget": "the error budget is short",
    "stable_fails": "stable fails on the same provider",
}
"""What each reason of a held rollout means; the sentences of its waits say it with numbers."""

SHOWN_FOR = frozenset({"held", "paused"})
"""States whose reasons belong to where a rollout stands."""


def standing(rollout: Mapping[str, Any], reasons: Sequence[str] | None = None) -> Text:
    """Say where a rollout stands: the releases, its state, step and share, and what holds it.

    `reasons` say better what holds it than its codes do.
    """
    if reasons is None:
        reasons = [hold_words(code) for code in rollout.get("holds", ())]
    why = f": {'; '.join(reasons)}" if reasons and rollout["state"] in SHOWN_FOR else ""
    return line(f"from {rollout['from']} to {rollout['candidate']}: ", *_state(rollout), why)


def standing_of_route(rollout: Mapping[str, Any], reasons: Sequence[str] | None = None) -> Text:
    """Say the same with the route's name first."""
    return line((rollout["route"], "bold"), " ") + standing(rollout, reasons)


def latest_move(rollout: Mapping[str, Any]) -> str:
    """Say when a rollout moved last, by whom and why."""
    return f"{moment(rollout['updated_at'])} by {rollout['actor']}: {rollout['reason']}"


def hold_words(code: str) -> str:
    """Say a reason of a held rollout."""
    return HOLDS.get(code, code.replace("_", " "))


def of_plan(rollout: Mapping[str, Any]) -> str:
    """Say by which plan a rollout goes, and how."""
    strategy = rollout.get("strategy", "canary").replace("_", "-")
    return f"{rollout['plan'] or 'written in the route'}, {strategy}"


def step_share(step: Mapping[str, Any]) -> str:
    """Say the share of a plan's step."""
    return f"shadow {share(step['shadow_ppm'])}" if step.get("shadow_ppm") else share(step.get("percent_ppm", 0))


def span(seconds: float) -> str:
    """Write seconds as people say them, in two units at most, as in `1m 20s`."""
    left = round(seconds)
    for size, unit, smaller, below in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size}{unit} {rest}{below}" if rest else f"{left // size}{unit}"
    return f"{left}s"


def act(event: Mapping[str, Any], rollout: Mapping[str, Any]) -> Text:
    """Tell one act on a rollout: what, by whom, where it led, and why."""
    steps = rollout.get("plan_steps", ())
    step = event["step"]
    where = "" if step is None else f", step {step} of {rollout['steps']}"
    if event["state"] == "completed":
        where = ", completed"
    is_mirrored = step is not None and event["weight_ppm"] == 0 and step <= len(steps)
    gets = step_share(steps[step - 1]) if is_mirrored and _is_open(event) else f"weight {share(event['weight_ppm'])}"
    return line((event["verb"], "bold"), f" by {event['actor']}{where}, {gets}: {event['reason']}")


def evidence_words(evidence: Mapping[str, Any] | None) -> str:
    """Sum up what an act rests on: both sides' failures and each verdict, or the numbers of a trip."""
    if evidence is None:
        return ""
    if "candidate" not in evidence:
        told = (f"{name} {value}" for name, value in evidence.items() if name != "rule" and _is_plain(value))
        return ", ".join(told)
    sides = [f"{side} failed {evidence[side]['failed']:,} of {evidence[side]['judged']:,}" for side in SIDES]
    return "; ".join([", ".join(sides), *_verdicts(evidence.get("findings", ()))])


SIDES = ("candidate", "stable")


def _is_open(event: Mapping[str, Any]) -> bool:
    return event["state"] not in CLOSED


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str))


def _verdicts(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Count the verdicts, and name what is not within its limit."""
    within = sum(finding["verdict"] == "within" for finding in findings)
    others = [finding for finding in findings if finding["verdict"] != "within"]
    told = [f"{each['criterion']['metric']} {each['verdict'].replace('_', ' ')}" for each in others]
    if findings:
        yield ", ".join([f"{within} within", *told] if within else told)


def _state(rollout: Mapping[str, Any]) -> Iterator[str | tuple[str, str]]:
    state = rollout["state"]
    yield state.replace("_", " "), STYLES.get(state, "")
    if state == "held" and rollout["step"] is None:
        yield f", before the first of {counted(rollout['steps'], 'step')}"
    elif rollout["step"] is not None and state != "completed":
        yield f", step {rollout['step']} of {rollout['steps']}"
    shadow = rollout.get("shadow_ppm", 0)
    yield f", shadow {share(shadow)}" if shadow else f", weight {share(rollout['weight_ppm'])}"
