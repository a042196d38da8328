"""The operations API of experiments."""

import json

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from gateway.api.entrance import Entrance
from gateway.api.experiments import ExperimentHandlers
from gateway.api.operations import _not_here, _refused
from gateway.control.access_uses import AccessUses
from gateway.control.identification import Identification
from gateway.core.audit import Origin, Target
from gateway.core.errors import PinionError, StoreFault
from gateway.core.snapshot import Snapshot
from tests.control.serving_world import Process, Store, TokenVerifier
from tests.control.test_experiments import opened
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio

ORIGIN = Origin("person", "local", "local")


class Office:
    """The handlers over a real ledger, for whoever is on the machine, or for who has the token."""

    def __init__(self, lab, token: str | None = None) -> None:
        self.told, self.refused = [], []
        identification = Identification(lambda: Snapshot(1, "r", {}), TokenVerifier(), token)
        uses = AccessUses(Process(Store()).live)
        entrance = Entrance(identification, Journal(), uses, lambda *refusal: self.refused.append(refusal))
        self.application = Starlette(
            routes=ExperimentHandlers(lab.experiments, self._tell, lambda *_: ORIGIN, lambda: 9.0).routes(entrance),
            exception_handlers={PinionError: _refused, HTTPException: _not_here},
        )

    async def _tell(self, act):
        if self.told is None:
            raise StoreFault("the store is away")
        self.told.append(act)

    async def get(self, path: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/admin/v1/experiments/{path}")


@pytest.fixture
async def lab(tmp_path):
    """Experiments over an empty ledger."""
    async with opened(tmp_path) as found:
        yield found


async def test_a_report_is_json(lab):
    """Of the route that is named; one without an experiment is not found, with what to do."""
    office = Office(lab)
    assert ("length", "not_enough_units") == (
        (report := (await office.get("support")).json())["experiment"],
        report["verdict"]["code"],
    )
    refused = await office.get("drafts")
    assert 404 == refused.status_code
    assert "write `experiment:`" in refused.json()["error"]["message"]


async def test_exposures_are_streamed_as_lines(lab):
    """From a position and a time on; none is an empty answer."""
    for number in range(3):
        lab.serve(f"u-{number}", "control")
    office = Office(lab)
    answer = await office.get("support/exposures?after=1&since=0.5")
    assert "application/x-ndjson" == answer.headers["content-type"]
    assert [2, 3] == [json.loads(line)["position"] for line in answer.text.splitlines()]
    assert (200, "") == ((none := await office.get("support/exposures?after=3")).status_code, none.text)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("after=x", "after= is the position"),
        ("after=-1", "after= is the position"),
        (f"after={'9' * 20}", "after= is the position"),
        ("after=9999999999999999999", "after= is the position"),
        ("since=x", "since= is a time"),
        ("since=inf", "since= is a time"),
    ],
)
async def test_a_query_that_means_nothing_is_refused(lab, query, said):
    """With what it takes."""
    answer = await Office(lab).get(f"support/exposures?{query}")
    assert 400 == answer.status_code
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["support", "support/exposures"])
async def test_nobody_but_an_operator_is_told(lab, path):
    """Whoever may not ask learns nothing."""
    assert 401 == (await Office(lab, token="operator-token-0123456789").get(path)).status_code


async def test_a_ledger_that_is_away_is_said_before_anything_is_sent(lab):
    """With its status."""
    await lab.ledger.close()
    assert {503} == {(await Office(lab).get(path)).status_code for path in ("support", "support/exposures")}


async def test_an_export_is_told_before_it_is_given(lab):
    """Who took which lines out is in the audit trail; where that cannot be written, nothing is given."""
    lab.serve("u-1", "control")
    office = Office(lab)
    assert 200 == (await office.get("support/exposures")).status_code
    (act,) = office.told
    assert ("experiment.export", "local", 9.0, Target("route", "support")) == (
        act.action,
        act.actor,
        act.at,
        act.target,
    )
    office.told = None
    assert 503 == (await office.get("support/exposures")).status_code
