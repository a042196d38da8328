"""A rollout in words: where it stands in one line, and its whole story."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import counted, facts, indented, line, moment, share, table

STYLES: Mapping[str, str] = {
    "held": "yellow",
    "running": "cyan",
    "completed": "green",
    "rolled_back": "red",
    "superseded": "dim",
}

LIMITS: Mapping[str, str] = {
    "max_delta": "at most {} above stable",
    "max_ratio": "at most {} times stable",
    "max": "at most {}",
    "min": "at least {}",
}
"""How each limit of a guardrail or signal is said."""


def standing(rollout: Mapping[str, Any]) -> Text:
    """Say where a rollout stands: the releases, its state, step and weight."""
    return line(f"from {rollout['from']} to {rollout['candidate']}: ", *_state(rollout))


def standing_of_route(rollout: Mapping[str, Any]) -> Text:
    """Say the same with the route's name first."""
    return line((rollout["route"], "bold"), " ") + standing(rollout)


def latest_move(rollout: Mapping[str, Any]) -> str:
    """Say when a rollout moved last, by whom and why."""
    return f"{moment(rollout['updated_at'])} by {rollout['actor']}: {rollout['reason']}"


def story(rollout: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Tell a rollout as the operations API explains it: its standing, its criteria, and its acts, the oldest first."""
    yield standing_of_route(rollout)
    yield indented(
        facts(
            [
                ("plan", rollout["plan"] or "written in the route"),
                ("rollout", f"{rollout['id']}, attempt {rollout['attempt']}"),
            ]
        )
    )
    for noun in ("guardrails", "signals"):
        if rollout[noun]:
            yield from ("", indented(table([noun.removesuffix("s"), "limit"], map(_criterion, rollout[noun]))))
    acts = [(moment(event["at"]), _act(event, rollout["steps"])) for event in reversed(rollout["events"])]
    yield from ("", indented(facts(acts)))


def _state(rollout: Mapping[str, Any]) -> Iterator[str | tuple[str, str]]:
    state = rollout["state"]
    yield state.replace("_", " "), STYLES.get(state, "")
    if state == "held":
        yield f", before the first of {counted(rollout['steps'], 'step')}"
    elif rollout["step"] is not None and state != "completed":
        yield f", step {rollout['step']} of {rollout['steps']}"
    yield f", weight {share(rollout['weight_ppm'])}"


def _criterion(criterion: Mapping[str, Any]) -> tuple[str, str]:
    over = f" over {criterion['over']:g}s" if "over" in criterion else ""
    limits = (said.format(criterion[name]) for name, said in LIMITS.items() if name in criterion)
    return f"{criterion['metric']}{over}", ", ".join(limits)


def _act(event: Mapping[str, Any], steps: int) -> Text:
    """Tell one act on a rollout: what, by whom, where it led, and why."""
    step = "" if event["step"] is None else f", step {event['step']} of {steps}"
    led_to = f" by {event['actor']}{step}, weight {share(event['weight_ppm'])}: "
    return line((event["verb"], "bold"), led_to, (event["reason"], "dim"))
