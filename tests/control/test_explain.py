"""Why: a unit's release, a past request's decision, a rollout's acts."""

import json

import pytest

from gateway.control.explain import explain_request, explain_rollout, explain_unit
from gateway.core.errors import UnknownSubject
from tests.control.serving_world import files, rolling, route, serving
from tests.proxy.playbook import Play

pytestmark = pytest.mark.anyio

PLAN = """rollout:
  steps: [{percent: 50, guardrails: [{metric: slow_rate, over: 8s, max: 0.5}]}]
  guardrails: [{metric: error_rate, max_delta: 0.02}]
  signals: [{metric: cost_per_request, max_ratio: 1.1}]"""


async def test_a_unit_is_explained_as_requests_meet_it():
    """The release, the track, the bucket and the salt that it comes from."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling(plan="{steps: [{percent: 50}]}"))
        explained = [explain_unit(process.serving.current, "desk", f"user-{n}") for n in range(40)]

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
        explained = explain_unit(process.serving.current, "desk", "ada")

        assert ("1.0.0", None, None, {}) == tuple(explained[name] for name in ("version", "salt", "bucket", "out"))


async def test_an_experiments_salt_is_told():
    """Its split is apart from any rollout's."""
    arms = 'experiment: {name: length, arms: {a: {release: "1.1.0", percent: 100}}}\n'
    rules = 'rules: [{when: {header: {x-beta: "1"}}, release: "1.2.0"}]'
    async with serving(files(route(more=arms + rules))) as process:
        explained = explain_unit(process.serving.current, "desk", "ada")

        assert ("arm", "1.1.0", process.desk.experiment.salt.text) == tuple(
            explained[name] for name in ("track", "version", "salt")
        )


async def test_an_unknown_route_is_named_with_those_that_exist():
    """So that a slip of the pen is seen at once."""
    async with serving(files(route())) as process:
        with pytest.raises(UnknownSubject, match="no route 'dsek'; there is desk"):
            explain_unit(process.serving.current, "dsek", "ada")


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_told_from_its_record(stream):
    """What was decided, each attempt, and the cost in dollars; never what was said."""
    play = Play()
    play.ask(messages=[{"role": "user", "content": "secret words"}], stream=stream)
    play.upstream.last.answer()
    told = explain_request(play.record)

    assert ("req-1", "desk", "1.0.0", "stable") == tuple(
        told[name] for name in ("request_id", "route", "release", "track")
    )
    assert [{"release": "1.0.0", "track": "stable", "outcome": told["outcome"], "status": 200}] == told["attempts"]
    assert 20e-6 == pytest.approx(told["cost_usd"])
    assert "secret words" not in json.dumps(told)


def test_an_unknown_cost_stays_unknown():
    """It is not zero."""
    play = Play()
    play.ask()
    play.upstream.last.answer(status=400, body=b"{}")

    assert explain_request(play.record)["cost_usd"] is None


async def test_a_rollout_is_told_with_its_acts_and_guardrails():
    """The newest act first, of this rollout alone, and each criterion by name with the limits that it has."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.serving.rollback("desk", "ada", "first try")
        await process.serving.reload(files(route()))
        await process.serving.reload(files(route(serve="1.1.0", more=PLAN)))
        await process.serving.rollback("desk", "ada", "because")
        history = await process.store.history("desk", 100)
        told = explain_rollout(process.serving.record_of("desk").rollout, history)

        assert [
            ("rollback", 0, "ada", "because"),
            ("start", 500_000, "policy", "the serve: line was changed to 1.1.0"),
        ] == [(event["verb"], event["weight_ppm"], event["actor"], event["reason"]) for event in told["events"]]
        assert [{"metric": "error_rate", "max_delta": 0.02}] == told["guardrails"]
        assert [{"metric": "cost_per_request", "max_ratio": 1.1}] == told["signals"]
        assert ("rolled_back", 2) == (told["state"], told["attempt"])
        json.dumps(told)
