"""Why: a unit's release, a past request's decision, a rollout's acts."""

import json
from dataclasses import replace

import pytest

from gateway.control.explain import explain_request, explain_rollout, explain_unit
from gateway.control.rollouts import Word
from gateway.core.admission import Excepted, Governance
from gateway.core.approval import SignOff
from gateway.core.deployment import Deployment
from gateway.core.errors import UnknownSubject
from gateway.core.review import Review
from gateway.core.standing import Standing
from tests.control.approval_world import excepted, subject_of
from tests.control.judged_world import judging, plan, rollout
from tests.control.serving_world import ADA, files, rolling, route, serving
from tests.core.approval_samples import SUBJECT, asked
from tests.proxy.playbook import Play

pytestmark = pytest.mark.anyio

GOVERNANCE = Governance(exceptions=(Excepted("x1", "production", "desk", "1.0.0", "0", "ada", "trial", 0.0, 9.0),))

PLAN = """rollout:
  steps: [{percent: 50, guardrails: [{metric: slow_rate, over: 8s, max: 0.5}]}]
  guardrails: [{metric: error_rate, max_delta: 0.02}]
  signals: [{metric: cost_per_request, max_ratio: 1.1}]"""


async def test_a_unit_is_explained_as_requests_meet_it():
    """The release, the track, the bucket and the salt that it comes from."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling(plan="{steps: [{percent: 50}]}"))
        explained = [explain_unit(process.live, "desk", f"user-{n}") for n in range(40)]

        assert {"stable", "canary"} == {one["track"] for one in explained}
        for one in explained:
            assert (one["track"] == "canary") == (one["bucket"] < 500_000)
            assert f"desk/{one['version']}" == one["release"]
        assert {process.desk.canary.salt.text} == {one["salt"] for one in explained}
        assert {"1.0.0": 500_000, "1.1.0": 500_000, "1.2.0": 0} == explained[0]["weights_ppm"]
        json.dumps(explained)


async def test_a_route_without_a_split_has_neither_salt_nor_bucket():
    """Stable serves everybody."""
    async with serving(files(route())) as process:
        explained = explain_unit(process.live, "desk", "ada")

        assert ("1.0.0", None, None, {}) == tuple(explained[name] for name in ("version", "salt", "bucket", "out"))


async def test_an_experiments_salt_is_told():
    """Its split is apart from any rollout's."""
    arms = 'experiment: {name: length, arms: {a: {release: "1.1.0", percent: 100}}}\n'
    rules = 'rules: [{when: {header: {x-beta: "1"}}, release: "1.2.0"}]'
    async with serving(files(route(more=arms + rules))) as process:
        explained = explain_unit(process.live, "desk", "ada")

        assert ("arm", "1.1.0", process.desk.experiment.salt.text) == tuple(
            explained[name] for name in ("track", "version", "salt")
        )


async def test_a_release_that_serves_by_an_exception_is_explained_with_it():
    """Until when and on whose word."""
    async with serving(files(route())) as process:
        assert [] == explain_unit(process.live, "desk", "ada")["exceptions"]
        await excepted(process, subject_of(process, "1.0.0"), process.clock.wall() + 60.0)
        (told,) = explain_unit(process.live, "desk", "ada")["exceptions"]
        assert ("ada", "a trial", "exception") == (told["owner"], told["reason"], told["kind"])
        json.dumps(told)


async def test_an_unknown_route_is_named_with_those_that_exist():
    """So that a slip of the pen is seen at once."""
    async with serving(files(route())) as process:
        with pytest.raises(UnknownSubject, match="no route 'dsek'; there is desk"):
            explain_unit(process.live, "dsek", "ada")


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_told_from_its_record(stream):
    """What was decided, each attempt, and the cost in dollars; never what was said."""
    play = Play()
    play.ask(messages=[{"role": "user", "content": "secret words"}], stream=stream)
    play.upstream.last.answer()
    told = explain_request(play.record, [], [], Governance())

    assert ("req-1", "desk", "1.0.0", "stable") == tuple(
        told[name] for name in ("request_id", "route", "release", "track")
    )
    assert [
        {"release": "1.0.0", "track": "stable", "outcome": told["outcome"], "status": 200, "excused": False}
    ] == told["attempts"]
    assert 20e-6 == pytest.approx(told["cost_usd"])
    assert "secret words" not in json.dumps(told)


def test_a_request_is_told_with_what_is_registered_of_its_release():
    """The digests of what served, and why it served then; a request outside every deployment has none."""
    play = Play()
    play.ask()
    play.upstream.last.answer()
    record, at = play.record, play.record.at
    standing = Standing("release", "desk", "1.0.0", "0d", "0f", 1.0, review=Review.candidate)
    lasting = Deployment(
        "production", "desk", "1.0.0", "stable", "0d", at - 60, "first deployment", "policy", approval="x1"
    )
    earlier = replace(lasting, since=at - 90, until=at - 60)
    other = replace(lasting, track="canary")

    told = explain_request(record, [standing], [other, earlier, lasting], GOVERNANCE)
    assert [{"version": "release desk/1.0.0", "digest": "0d", "review": "candidate", "lifecycle": "active"}] == told[
        "versions"
    ]
    assert {
        "environment": "production",
        "since": at - 60,
        "until": None,
        "why": "first deployment",
        "actor": "policy",
        "approval": "x1",
        "admitted_by": "exception",
    } == told["deployment"]
    assert ("exception", "x1") == (told["approval"]["kind"], told["approval"]["id"])
    assert explain_request(record, [], [other, earlier], GOVERNANCE)["deployment"] is None


def test_a_request_is_told_with_the_word_that_its_release_served_on():
    """Who signed which function of what digest, or who excepted it until when."""
    play = Play()
    play.ask()
    play.upstream.last.answer()
    record = play.record
    lasting = Deployment("production", "desk", "1.0.0", "stable", "0d", record.at - 60, "asked", "ada", approval="q1")
    approved = replace(asked(), ended_at=20.0, sign_offs=(SignOff("eve", "engineering", SUBJECT.digest, 15.0),))
    told = explain_request(record, [], [lasting], Governance(), [replace(approved, id="q0"), approved])
    assert {
        "kind": "approval",
        "id": "q1",
        "digest": SUBJECT.digest,
        "requester": "ada",
        "at": 20.0,
        "signed": [{"person": "eve", "role": "engineering", "at": 15.0}],
    } == told["approval"]
    made = Excepted("q1", "production", "desk", "1.0.0", "0d", "rob", "a leak", 1.0, 9.0, is_emergency=True)
    told = explain_request(record, [], [lasting], Governance(exceptions=(made,)))
    assert {
        "kind": "emergency",
        "id": "q1",
        "digest": "0d",
        "owner": "rob",
        "reason": "a leak",
        "until": 9.0,
    } == told["approval"]


def test_an_unknown_cost_stays_unknown():
    """It is not zero."""
    play = Play()
    play.ask()
    play.upstream.last.answer(status=400, body=b"{}")

    assert explain_request(play.record, [], [], Governance())["cost_usd"] is None


async def test_a_rollout_is_told_with_its_acts_and_guardrails():
    """The newest act first, of this rollout alone, and each criterion by name with the limits that it has."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.rollouts.rollback("desk", Word("ada", "first try"))
        await process.serving.reload(files(route()))
        await process.serving.reload(files(route(serve="1.1.0", more=PLAN)))
        await process.rollouts.rollback("desk", ADA)
        assert await process.recording.settled(60)
        history = await process.store.history("desk", 100)
        told = explain_rollout(process.live.record_of("desk").rollout, history, None)

        assert [
            ("rollback", 0, "ada", "because"),
            ("start", 500_000, "policy", "the serve: line was changed to 1.1.0"),
        ] == [(event["verb"], event["weight_ppm"], event["actor"], event["reason"]) for event in told["events"]]
        assert [{"metric": "error_rate", "max_delta": 0.02}] == told["guardrails"]
        assert [{"metric": "cost_per_request", "max_ratio": 1.1}] == told["signals"]
        assert ("rolled_back", 2, None) == (told["state"], told["attempt"], told["judged"])
        json.dumps(told)


async def test_a_rollouts_steps_are_told_by_what_they_state():
    """What a step does not ask for is left out; shares in parts per million, times in seconds."""
    gates = "min_requests: 7, approval: true, guardrails: [{metric: error_rate, max: 0.5}]"
    steps = f"[{{shadow: 10, hold: 1h}}, {{percent: 50, {gates}}}]"
    async with serving(files(route())) as process:
        await process.serving.reload(rolling(plan=f"{{steps: {steps}}}"))
        told = explain_rollout(process.live.record_of("desk").rollout, [], None)

        assert [
            {"shadow_ppm": 100_000, "hold": 3600.0, "guardrails": []},
            {
                "percent_ppm": 500_000,
                "min_requests": 7,
                "approval": True,
                "guardrails": [{"metric": "error_rate", "max": 0.5}],
            },
        ] == json.loads(json.dumps(told["plan_steps"]))


async def test_a_rollout_is_told_with_what_its_step_has_shown():
    """And with the evidence and the holds that each act rested on."""
    guarded = plan("percent: 50, hold: 1m", "percent: 100")
    async with judging(guarded) as (process, traffic):
        traffic.sides(50, canary=3)
        await traffic.seconds(1, by=60)
        history = await process.store.history("desk", 100)
        told = explain_rollout(rollout(process), history, process.judging.describe("desk"))

        assert [("hold", ["inconclusive"]), ("start", [])] == [
            (event["verb"], event["holds"]) for event in told["events"]
        ]
        assert ["inconclusive"] == [wait["code"] for wait in told["judged"]["waits"]]
        assert 3 == told["judged"]["candidate"]["judged"]
        traffic.sides(50)
        await traffic.seconds(1)
        event = explain_rollout(rollout(process), await process.store.history("desk", 1), None)["events"][0]
        assert ("advance", "within") == (event["verb"], event["evidence"]["findings"][0]["verdict"])
        json.dumps(told)
