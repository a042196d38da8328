"""A rollout's whole story: where it stands and why, what it has shown, and every act on it."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.rollout_figures import (
    Shown,
    budget_words,
    criteria,
    findings_table,
    fleet_words,
    rules,
    shown_of,
    sides,
    split_words,
    steps_row,
    time_words,
)
from gateway.cli.rollout_text import act, evidence_words, latest_move, of_plan, standing_of_route
from gateway.cli.terminal import UNFOLDED, facts, indented, line, moment


def story(told: Mapping[str, Any], columns: int) -> Iterator[RenderableType]:
    """Tell a rollout as the operations API explains it, in so many columns."""
    found = shown_of(told)
    yield standing_of_route(told)
    yield indented(facts(_head(told, found)))
    if found is not None:
        if found.event is not None:
            rested = f"what the {found.event['verb']} of {moment(found.event['at'])} rested on"
            yield from ("", indented(line((rested, "dim"))))
        for table in sides(told, found, columns):
            yield from ("", indented(table))
    if any(criteria(told)):
        yield from ("", indented(findings_table(told, found, columns)))
    said = list(rules(told, found))
    if said:
        yield from ("", indented(facts(said)))
    yield from ("", indented(facts(_acts(told, columns))))


def _head(told: Mapping[str, Any], found: Shown | None) -> Iterator[tuple[str, Any]]:
    yield "last move", latest_move(told)
    yield "rollout", f"{told['id']}, attempt {told['attempt']}"
    yield "plan", of_plan(told)
    yield "steps", steps_row(told)
    judged = told.get("judged")
    if judged is not None:
        yield "time", time_words(judged)
        yield from (("" if place else "waits for", wait["sentence"]) for place, wait in enumerate(judged["waits"]))
        budget = judged.get("error_budget")
        yield "error budget", None if budget is None else budget_words(budget)
    p = None if found is None else found.evidence["sample_ratio_p"]
    yield "split", None if p is None else split_words(p)
    hand_overs = None if found is None else found.evidence.get("hand_overs")
    yield "fleet", None if hand_overs is None else fleet_words(hand_overs)


def _acts(told: Mapping[str, Any], columns: int) -> Iterator[tuple[str, Text]]:
    """Give the acts, the oldest first; on a terminal each day stands once, so that the reasons have room."""
    day = ""
    for event in reversed(told["events"]):
        date, _, clock = moment(event["at"]).partition(" ")
        if columns < UNFOLDED and date != day:
            yield date, line(("times in UTC", "dim"))
            day = date
        yield f"{date} {clock}" if columns >= UNFOLDED else clock.removesuffix(" UTC"), act(event, told)
        rests_on = evidence_words(event["evidence"])
        if rests_on:
            yield "", line((rests_on, "dim"))
