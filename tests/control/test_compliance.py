"""The evidence that the record holds: from models, datasets, routes, deployments, the ledger and the audit trail."""

import pytest

from gateway.control.compliance import Compliance
from gateway.core.errors import UnknownSubject
from tests.control.approval_world import approve, governed, subject_of
from tests.control.serving_world import files, route
from tests.control.test_deployments import come, following

pytestmark = pytest.mark.anyio

MODEL = """
kind: model
name: own
provider: sim
owner: ada
versions:
  "1":
    upstream_model: own-2026-01-01
    data: {training: [tickets@1]}
    use_cases: [routing]
    limitations: [German alone]
    materiality: {exposure: low, purpose: queues}
    validator: eve
    review_by: 2027-01-31
    evaluations: [{name: golden, metric: accuracy, value: 0.9, n: 100}]
"""
DATASET = 'kind: dataset\nname: tickets\nversions: {"1": {sha256: "' + "a" * 64 + '", rows: 7, origin: desk}}'
PLAN = "rollout: {steps: [{percent: 100}], guardrails: [{metric: feedback.resolved, max_delta: 0.1}]}"
TOLD = files(
    MODEL,
    DATASET,
    'kind: route\nname: own\nowner: ada\nreleases: {"1": {model: own@1}}\nserve: "1"\n' + PLAN,
)
EXPERIMENT = (
    "experiment: {name: e, primary: feedback.resolved, "
    'arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}'
)
CHECKPOINT = {"origin": "pinion", "size": 3, "root": "ab", "note": "pinion\n3\nqw==\n"}


async def exported(policies, *, signed=True, days=183.0):
    """The export over a policy set that serves, and its rows by framework and clause."""

    async def checkpoint():
        if not signed:
            raise UnknownSubject("no checkpoint is signed yet")
        return CHECKPOINT

    async with following(policies=policies) as process:
        assert await process.recording.settled(60)
        await come(process)
        told = await Compliance(process.live, process.store, checkpoint, days * 86_400).export()
    return told, {(row["framework"], row["clause"]): row for row in told["rows"]}


async def test_what_is_told_of_models_and_routes_is_evidence():
    """With the digests that it had."""
    told, rows = await exported(TOLD)
    assert ("1", "default", CHECKPOINT) == (told["format"], told["environment"], told["audit_checkpoint"])
    for clause in ("MAP 1.1", "MAP 2.2", "GOVERN 1.5", "MEASURE 2.11", "GOVERN 6.1", "MEASURE 2.1", "MANAGE 4.1"):
        assert "evidenced" == rows["NIST AI RMF", clause]["status"], clause
    (purposes,) = rows["NIST AI RMF", "MAP 1.1"]["evidence"]
    assert ("own@1", 64) == (purposes["items"][0]["id"], len(purposes["items"][0]["digest"]))
    assert "evidenced" == rows["EU AI Act", "12(1)"]["status"]


async def test_what_nobody_told_is_a_gap():
    """A model that a route names in passing has neither purpose nor limits."""
    _, rows = await exported(files(route()), signed=False, days=30)
    assert "gap" == rows["NIST AI RMF", "MAP 1.1"]["status"]
    assert "missing for atlas-1.0.0@2026-01-01" in rows["NIST AI RMF", "MAP 1.1"]["justification"]
    assert "gap" == rows["EU AI Act", "10"]["status"]
    assert "partial" == rows["EU AI Act", "19(1)"]["status"]
    assert "kept for 30 days" in rows["EU AI Act", "19(1)"]["justification"]
    assert "missing for a signed checkpoint" in rows["EU AI Act", "12(1)"]["justification"]


async def test_feedback_counts_in_an_experiment_too():
    """As its primary metric."""
    _, rows = await exported(files(route(more=EXPERIMENT)))
    assert "1 of 1 routes that are judged by feedback" in rows["EU AI Act", "72"]["justification"]


async def test_releases_in_service_by_an_approval_are_evidence():
    """Those that serve without one are missing."""

    async def checkpoint():
        return CHECKPOINT

    async def row_of(process):
        told = await Compliance(process.live, process.store, checkpoint, 183 * 86_400.0).export()
        return next(row for row in told["rows"] if row["clause"] == "MANAGE 1.1")

    async with following(policies=files(route())) as process:
        assert "gap" == (await row_of(process))["status"]
        assert (await process.serving.reload(governed())).accepted
        await approve(process, subject_of(process, "1.0.0"))
        assert (await process.serving.reload(governed())).accepted
        assert "evidenced" == (await row_of(process))["status"]
