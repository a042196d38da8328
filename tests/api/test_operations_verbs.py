"""The operations API's acts on rollouts: what each does, takes and answers, and how it is refused."""

import pytest

from gateway.core.errors import Overtaken
from tests.api.office import VERBS, Office, office, said
from tests.control.serving_world import files, rolling, route, serving

pytestmark = pytest.mark.anyio


async def test_the_verbs_act_and_answer_with_the_rollout():
    """Promotion, rollback and retry, each recorded with the operator and the reason."""
    async with office() as desk:
        promoted = (await desk.act("/admin/v1/rollouts/desk/promote", {"reason": "looks well"})).json()
        rolled_back = (await desk.act("/admin/v1/rollouts/desk/rollback", b"")).json()
        retried = (await desk.act("/admin/v1/rollouts/desk/retry", {})).json()
        done = (await desk.act("/admin/v1/rollouts/desk/promote", {"full": True})).json()

        assert [500_000, 0, 50_000, 1_000_000] == [one["weight_ppm"] for one in (promoted, rolled_back, retried, done)]
        assert ("local", "looks well") == (promoted["actor"], promoted["reason"])
        assert "rollback by local" == rolled_back["reason"]


async def test_a_pause_ends_with_a_resume():
    """By a person; the weight stays as it is all the while."""
    async with office() as desk:
        paused = (await desk.act("/admin/v1/rollouts/desk/pause", {"reason": "weekend"})).json()
        refused = await desk.act("/admin/v1/rollouts/desk/promote")
        resumed = (await desk.act("/admin/v1/rollouts/desk/resume")).json()

        assert [("paused", 50_000, "weekend"), ("running", 50_000, "resume by local")] == [
            (one["state"], one["weight_ppm"], one["reason"]) for one in (paused, resumed)
        ]
        assert (409, True) == (refused.status_code, said(refused).endswith("resume it or roll it back"))


async def test_an_undo_names_the_release_to_go_back_to():
    """The latest one before where it names none; one that is not warm is refused with those that are."""
    async with office() as desk:
        for version in ("1.1.0", "1.2.0"):
            desk.files = rolling(version)
            await desk.act("/admin/v1/reload")
            await desk.act("/admin/v1/rollouts/desk/promote", {"full": True})
        refused = await desk.act("/admin/v1/rollouts/desk/undo", {"to": "9.9.9"})
        undone = await desk.act("/admin/v1/rollouts/desk/undo", {"to": "1.0.0"})

        assert (409, True) == (refused.status_code, "those that are: 1.1.0, 1.0.0" in said(refused))
        assert (200, "rolled_back", "1.2.0") == (
            undone.status_code,
            undone.json()["state"],
            undone.json()["candidate"],
        )
        status = (await desk.get("/admin/v1/status")).json()["routes"][0]
        assert ("1.0.0", []) == (status["stable"], status["former"])


@pytest.mark.parametrize("verb", VERBS)
async def test_who_has_seen_something_else_does_not_act(verb):
    """A conflict that says what is there now; what was shown serves as it stands for what was seen."""
    async with office() as desk:
        seen = (await desk.get("/admin/v1/rollouts/desk")).json()
        await desk.act("/admin/v1/rollouts/desk/promote")
        stale = {"rollout": seen["id"], "state": seen["state"], "step": seen["step"]}
        refused = await desk.act(f"/admin/v1/rollouts/desk/{verb}", {"seen": stale})

        assert 409 == refused.status_code
        assert "has moved: it has step 2 now; look again before you act" in said(refused)
        assert (500_000, "running") == (desk.process.weight, desk.process.state)
        answer = await desk.act("/admin/v1/rollouts/desk/pause", {"seen": {**stale, "step": 2}})
        assert (200, "paused") == (answer.status_code, answer.json()["state"])


async def test_of_two_gateways_that_act_at_once_the_later_is_in_conflict():
    """As HTTP says it, so that whoever asked looks again."""
    async with office() as desk:
        assert await desk.process.recording.settled(60)

        async def overtake():
            raise Overtaken("somebody else's act on desk was recorded first")

        desk.process.store.before = overtake
        refused = await desk.act("/admin/v1/rollouts/desk/promote")

        assert (409, "somebody else's act on desk was recorded first") == (refused.status_code, said(refused))


async def test_a_rollout_is_shown_with_what_it_waits_for():
    """Its plan, its evidence, its findings and every act; a completed one is watched as well, a rolled back one not."""
    guarded = "rollout: {steps: [{percent: 50, hold: 1h}], guardrails: [{metric: error_rate, max: 0.1}]}"
    async with office() as desk:
        desk.files = files(route(serve="1.2.0", more=guarded))
        await desk.act("/admin/v1/reload")
        shown = (await desk.get("/admin/v1/rollouts/desk")).json()

        assert [{"percent_ppm": 500_000, "hold": 3600.0, "guardrails": []}] == shown["plan_steps"]
        assert ["time", "no_data"] == [wait["code"] for wait in shown["judged"]["waits"]][:2]
        assert ["error_rate"] == [one["criterion"]["metric"] for one in shown["judged"]["findings"]]
        await desk.act("/admin/v1/rollouts/desk/promote")
        shown = (await desk.get("/admin/v1/rollouts/desk")).json()
        assert ("completed", [], None) == (
            shown["state"],
            shown["judged"]["waits"],
            shown["judged"]["step_seconds"],
        )
        await desk.act("/admin/v1/rollouts/desk/undo")
        assert (await desk.get("/admin/v1/rollouts/desk")).json()["judged"] is None


async def test_a_rollout_is_shown_while_the_store_is_away():
    """Where it stands and what it waits for is known without it; its acts are not."""
    async with office() as desk:
        desk.process.store.away = True
        shown = await desk.get("/admin/v1/rollouts/desk")

        assert (200, "running", []) == (shown.status_code, shown.json()["state"], shown.json()["events"])
        assert ["no_data"] == [wait["code"] for wait in shown.json()["judged"]["waits"]]


async def test_a_held_rollout_is_started():
    """By a person alone."""
    held = files(route(serve="1.1.0", more='rollout: {from: "1.0.0", steps: [{percent: 5}]}'))
    async with serving(held) as process:
        assert "running" == (await Office(process, None).act("/admin/v1/rollouts/desk/start")).json()["state"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/admin/v1/rollouts/desk/start", 409, "does not take start"),
        ("/admin/v1/rollouts/desk/retry", 409, "does not take retry"),
        ("/admin/v1/rollouts/dsek/promote", 404, "no route 'dsek'"),
        ("/admin/v1/rollouts/desk/resume", 409, "does not take resume"),
        ("/admin/v1/rollouts/desk/undo", 409, "does not take undo"),
        (
            "/admin/v1/rollouts/desk/explode",
            404,
            "no verb 'explode'; there is start, promote, pause, resume, rollback, retry and undo",
        ),
    ],
)
async def test_an_act_that_cannot_be_is_refused_with_the_reason(path, status, message):
    """What the state does not take is a conflict; what is not there is not found."""
    async with office() as desk:
        answer = await desk.act(path)

        assert status == answer.status_code
        assert message in said(answer)


async def test_a_store_that_is_away_refuses_what_gives_traffic_and_lets_rollbacks_act():
    """503 for the one; the other is out at once, and recorded later."""
    async with office() as desk:
        assert await desk.process.recording.settled(60)
        desk.process.store.away = True
        refused = await desk.act("/admin/v1/rollouts/desk/promote")
        rolled_back = await desk.act("/admin/v1/rollouts/desk/rollback")

        assert [503, 200] == [refused.status_code, rolled_back.status_code]
        assert (0, 1) == (desk.process.weight, len(desk.process.recording))


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"\xff", 400, "the body is not JSON"),
        (b"[" * 10_000, 400, "the body is not JSON"),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"raeson": "x"}', 400, "unknown field 'raeson'; there is reason, full, to, seen"),
        (b'{"\\ud800": 1}', 400, "unknown field '\\ud800'"),
        (b'{"reason": 1}', 400, "reason must be a text"),
        (b'{"reason": null}', 400, "reason must be a text"),
        (b'{"full": "yes"}', 400, "full must be true or false"),
        (b'{"full": 1}', 400, "full must be true or false"),
        (b'{"to": 1.0}', 400, "to must be a text"),
        (b'{"seen": "running"}', 400, "seen must be an object"),
        (b'{"seen": []}', 400, "seen must be an object"),
        (b" " * 70_000, 413, "the body is over 64 KiB"),
    ],
)
async def test_a_body_that_is_no_act_is_refused_and_nothing_happens(content, status, message):
    """Whatever is wrong with it is said."""
    async with office() as desk:
        answer = await desk.act("/admin/v1/rollouts/desk/rollback", content)

        assert (status, "running") == (answer.status_code, desk.process.state)
        assert message in said(answer)


async def test_a_body_is_not_read_beyond_its_limit():
    """One that never ends is refused all the same."""
    taken, messages = [], []

    async def receive():
        taken.append(4096)
        return {"type": "http.request", "body": b" " * 4096, "more_body": True}

    async def send(message):
        messages.append(message)

    path = "/admin/v1/rollouts/desk/rollback"
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    async with office() as desk:
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await desk.application(scope, receive, send)

    assert 413 == messages[0]["status"]
    assert sum(taken) < 80 * 1024


async def test_a_reason_is_recorded_so_that_any_record_can_carry_it():
    """It is bounded, and what no database takes, a NUL or half a character, stops nothing that is recorded after it."""
    async with office() as desk:
        answer = await desk.act("/admin/v1/rollouts/desk/rollback", b'{"reason": "\\ud800\\u0000' + b"x" * 1000 + b'"}')

        assert "??" + "x" * 498 == answer.json()["reason"]
        assert await desk.process.recording.settled(60)
        assert answer.json()["reason"] == desk.process.kept.rollout.reason
