"""Experiments: from the ledger to a report and to lines."""

import json
import random
from contextlib import asynccontextmanager

import pytest
from jsonschema import Draft202012Validator

from gateway.adapters import sql_exposures
from gateway.api.openapi import document
from gateway.control.experiments import Experiments
from gateway.control.feedback import Assessments, read_assessment
from gateway.core.errors import StoreFault, UnknownSubject
from gateway.core.record import Tried
from gateway.core.unit import unit_digest
from tests.adapters.ledger_records import record
from tests.control.experiment_samples import BEGUN, START, policy, state
from tests.control.file_ledger import file_ledger
from tests.proxy.playbook import Clock

pytestmark = pytest.mark.anyio

RELEASES = {"control": "1.0.0", "treatment": "1.1.0"}


class Late(Clock):
    """A clock that stands a day after the experiment's start."""

    def wall(self):
        return START + 86_400.0


class Lab:
    """Experiments over a real ledger."""

    def __init__(self, ledger) -> None:
        self.ledger = ledger
        self.clock = Late()
        self.known = state(policy(), BEGUN)
        self.experiments = Experiments(lambda: self.known, ledger, self.clock)
        self.assessments = Assessments(ledger, self.clock, lambda *_: None)
        self.requests = 0

    def serve(self, unit, arm, **changes):
        """Record a request of a unit in an arm; give its id."""
        self.requests += 1
        given = {
            "at": START + self.requests,
            "unit_digest": unit_digest(unit),
            "split": f"length/{arm}",
            "release": RELEASES[arm],
            "track": "arm",
            "attempts": (Tried(RELEASES[arm], "arm", "ok", 200),),
        }
        self.ledger.append(record(self.requests, **{**given, **changes}))
        return f"req-{self.requests}"

    async def say(self, request_id, value):
        await self.assessments.assess(
            "helpdesk", read_assessment({"request_id": request_id, "name": "resolved", "value": value})
        )

    async def lines(self, after=0, since=0.0):
        given = await self.experiments.exposures("support", after, since)
        return [json.loads(line) async for piece in given for line in piece.splitlines()]


@asynccontextmanager
async def opened(folder):
    """A lab whose ledger is a file."""
    async with file_ledger(folder) as ledger:
        yield Lab(ledger)


@pytest.fixture
async def lab(tmp_path):
    """A lab with an empty ledger."""
    async with opened(tmp_path) as found:
        yield found


@pytest.mark.untraced
async def test_an_experiment_from_its_requests_to_its_verdict(lab):
    """Requests and feedback of 500 units become a report: who got what, what they said, and what that shows."""
    chance = random.Random(3)
    for number in range(500):
        arm = "control" if chance.random() < 0.5 else "treatment"
        for _ in range(2):
            request_id = lab.serve(f"u-{number}", arm)
        await lab.say(request_id, not 0.5 < chance.random() < (0.9 if arm == "control" else 0.5))
    lab.serve("u-0", "control")
    lab.serve("u-0", "treatment")
    report = await lab.experiments.report("support")
    assert "better" == report["verdict"]["code"]
    assert (1, "running", START) == (report["units_in_two_arms"], report["state"], report["started_at"])
    assert 499 == sum(arm["units"] for arm in report["arms"])
    assert 998 == sum(arm["requests"] for arm in report["arms"])
    values = {one["arm"]: one["value"] for one in report["metrics"][0]["arms"]}
    assert 1.0 == values["treatment"]
    assert 0.5 < values["control"] < 0.7


async def test_requests_are_exported_line_by_line(lab):
    """Each as it is described, page by page, with what was said of it; from a time or a position on."""
    for number in range(4):
        lab.serve(f"u-{number}", "control")
    failed = (Tried("1.1.0", "arm", "failed", 500), Tried("1.0.0", "fallback", "ok", 200))
    lab.serve("u-4", "treatment", track="fallback", release="1.0.0", attempts=failed, cost_nano_usd=None)
    await lab.say("req-2", 0.5)
    lines = await lab.lines()
    own = {"$ref": "#/components/schemas/Exposure", "components": document()["components"]}
    for line in lines:
        Draft202012Validator(own).validate(line)
    assert [1, 2, 3, 4, 5] == [line["position"] for line in lines]
    assert ({"resolved": 0.5}, {}) == (lines[1]["feedback"], lines[2]["feedback"])
    assert ("length", "treatment", "ok", "failed", "1.0.0", None) == tuple(
        lines[4][name] for name in ("experiment", "arm", "outcome", "first_outcome", "release", "cost_usd")
    )
    assert lines[3:] == await lab.lines(after=3)
    assert lines[2:] == await lab.lines(since=START + 3)
    assert [] == await lab.lines(after=5)


async def test_an_export_goes_on_over_pages_that_hold_nothing(lab):
    """Long stretches of other traffic lie between an experiment's requests."""
    lab.serve("u-1", "control")
    for _ in range(2 * sql_exposures.PAGE):
        lab.serve("u-1", "control", split=None)
    lab.serve("u-2", "treatment")
    assert ["control", "treatment"] == [line["arm"] for line in await lab.lines()]
    assert 2 == sum(arm["requests"] for arm in (await lab.experiments.report("support"))["arms"])


async def test_without_an_experiment_there_is_nothing_to_tell(lab):
    """What to do is said."""
    with pytest.raises(UnknownSubject, match="no route 'nowhere'; there is drafts, support"):
        await lab.experiments.report("nowhere")
    with pytest.raises(UnknownSubject, match="route drafts has no experiment; write `experiment:` in its policy"):
        await lab.experiments.exposures("drafts", 0, 0.0)


async def test_a_ledger_that_is_away_is_no_empty_experiment(lab):
    """The report is refused."""
    await lab.ledger.close()
    with pytest.raises(StoreFault):
        await lab.experiments.report("support")
    assert repr(lab.experiments).startswith("<Experiments in SqlLedger(")
