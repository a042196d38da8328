"""Each request counts at most once at each gateway, whatever the network does and whoever restarts."""

import json
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.control.watched_steps import Restored, WatchedStep, begin
from gateway.core.fleet_message import read, written
from gateway.core.hand_over import HandOver
from tests.control.test_watched_steps import EPOCH, STABLE, at_step
from tests.core.evidence_records import answered

GATEWAY = st.integers(0, 2)
MESSAGE = st.integers(0, 1_000)


class HandOvers(RuleBasedStateMachine):
    """Three gateways that watch one step, and a network that loses, repeats, reorders and delays.

    Each request is of a unit of its own, with a cell of its own, which counts how often it was counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sources = 0
        self.requests = 0
        self.said: list[HandOver] = []
        self.kept = None
        self.gateways = [self.begun(None) for _ in range(3)]

    def begun(self, kept) -> WatchedStep:
        """A gateway that begins to watch, from what was kept or from nothing, as a source that nobody was."""
        step = begin(at_step(1), STABLE, None, kept, epoch=EPOCH, now=100.0)
        self.sources += 1
        step.hand_over_as(f"gateway.{self.sources}")
        return step

    @rule(place=GATEWAY)
    def request(self, place) -> None:
        """A request ends at a gateway."""
        self.requests += 1
        unit = f"{self.requests:016x}"
        self.gateways[place].hear(replace(answered("canary", self.requests), unit_digest=unit))

    @rule(place=GATEWAY)
    def say(self, place) -> None:
        """A gateway hands over what it has: on its way from now on, for ever."""
        told = self.gateways[place].hand_over()
        if told is not None:
            self.said.append(read(json.loads(json.dumps(written(told)))))

    @rule(place=GATEWAY, which=MESSAGE)
    def hear(self, place, which) -> None:
        """A gateway hears something that was said at any time: for the first time, or again, or its own word."""
        if self.said:
            self.gateways[place].take(self.said[which % len(self.said)])

    @rule(place=GATEWAY)
    def keep(self, place) -> None:
        """A gateway that judges writes down what it has, in place of what another may have written."""
        kept = self.gateways[place].keep(5.0)
        self.kept = replace(kept, evidence=json.loads(json.dumps(kept.evidence)))

    @rule(place=GATEWAY, is_restored=st.booleans())
    def restart(self, place, is_restored) -> None:
        """A gateway is killed, and begins anew with what is kept, or without where that could not be read."""
        kept = Restored.read(self.kept) if is_restored and self.kept is not None else None
        self.gateways[place] = self.begun(kept)

    @invariant()
    def each_counts_at_most_once(self) -> None:
        """At each gateway."""
        for step in self.gateways:
            tally = step.evidence.candidate
            assert max(tally.cells.cells or b"\0") <= 1
            assert tally.judged == sum(tally.counts.values()) <= self.requests

    def teardown(self) -> None:
        """Where all is handed over and heard, whoever began with nothing knows all that was said."""
        for place in range(3):
            self.say(place)
        late = self.begun(None)
        for told in self.said:
            late.take(told)
        assert sum(len(told.observations()) for told in self.said) == late.evidence.candidate.judged
        assert 0 == late.heard.missed


TestHandOvers = pytest.mark.untraced(HandOvers.TestCase)
