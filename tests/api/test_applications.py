"""The applications' API apart from the governed endpoints."""

import hashlib
import itertools
import json
from dataclasses import replace

import httpx2
import pytest

from gateway.api.applications import Applications
from gateway.control.feedback import Assessments
from gateway.core.api_key import named_key
from gateway.core.app import App
from gateway.core.errors import StoreFault
from gateway.core.rule import Rule
from gateway.core.snapshot import Snapshot
from tests.adapters.ledger_records import record
from tests.proxy import playbook

pytestmark = pytest.mark.anyio

KEY = "pk-test-1"


class Ledger:
    """Port `Ledger`: one request of the application `helpdesk`, or away."""

    def __init__(self) -> None:
        self.said = []
        self.away = False

    async def find(self, request_id):
        if self.away:
            raise StoreFault("/var/lib/pinion-ledger.db cannot be read")
        return record(1) if request_id == "req-1" else None

    async def assess(self, said):
        self.said.append(said)
        return True


class House:
    """The API over one snapshot."""

    def __init__(self, *routes, app: App | None = None, is_open: bool = False) -> None:
        known = {} if is_open else {hashlib.sha256(KEY.encode()).digest(): app or App("helpdesk", None)}
        self.snapshot = Snapshot(1, "r", {one.name: one for one in routes}, keys=known, open=is_open)
        ids = itertools.count(1)
        self.ledger = Ledger()
        assessments = Assessments(self.ledger, playbook.Clock(), lambda *_: None)
        self.denials = playbook.Denials()
        self.application = Applications(
            lambda: self.snapshot, lambda: f"req-{next(ids)}", assessments, self.denials
        ).application()

    async def say(self, content: bytes | None = None, said: dict | None = None, **headers) -> httpx2.Response:
        """Send feedback: raw, or as JSON over a good one."""
        body = {"request_id": "req-1", "name": "resolved", "value": True, **(said or {})}
        raw = json.dumps(body).encode() if content is None else content
        return await self.ask("/v1/feedback", "POST", raw, **headers)

    async def ask(self, path: str, method: str = "GET", content: bytes | None = None, **headers) -> httpx2.Response:
        """Ask with the key, unless another header says otherwise; one that is None is left out."""
        wanted = {
            "authorization": f"Bearer {KEY}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.application), base_url="http://gw.test"
        ) as client:
            return await client.request(method, path, headers=given, content=content)


def named(name: str):
    """The playbook's route under another name."""
    return replace(playbook.route(), name=name)


async def test_the_routes_of_a_key_are_its_models():
    """In OpenAI's shape, sorted, and only those that the key may call."""
    house = House(*map(named, ("b", "a", "c")), app=App("helpdesk", frozenset({"a", "b"})))
    answer = await house.ask("/v1/models")

    assert (200, "list", ["a", "b"]) == (
        answer.status_code,
        answer.json()["object"],
        [model["id"] for model in answer.json()["data"]],
    )
    assert "req-1" == answer.headers["x-request-id"]


async def test_anthropics_sdk_gets_them_in_its_own_shape():
    """Its version header tells who asks."""
    house = House(named("a"), named("b"))
    answer = (await house.ask("/v1/models", anthropic_version="2023-06-01")).json()
    empty = (await House(app=App("helpdesk", frozenset())).ask("/v1/models", anthropic_version="2023-06-01")).json()

    assert (["a", "b"], "a", "b", False) == (
        [model["id"] for model in answer["data"]],
        answer["first_id"],
        answer["last_id"],
        answer["has_more"],
    )
    assert ([], None, None) == (empty["data"], empty["first_id"], empty["last_id"])


@pytest.mark.parametrize(("headers", "kind"), [({}, "object"), ({"anthropic_version": "2023-06-01"}, "type")])
async def test_one_route_is_shown_alone(headers, kind):
    """In the shape of who asks."""
    answer = (await House(named("a")).ask("/v1/models/a", **headers)).json()

    assert ("a", "model") == (answer["id"], answer[kind])


@pytest.mark.parametrize("path", ["/v1/models/secret", "/v1/models/none", "/v1/assignment?model=secret"])
async def test_a_route_that_the_key_may_not_call_is_not_found(path):
    """It is told as one that does not exist, and the message names those that the key may call."""
    house = House(named("a"), named("secret"), app=App("helpdesk", frozenset({"a"})))
    answer = await house.ask(path)

    assert 404 == answer.status_code
    assert answer.json()["error"]["message"].endswith("for this key; it may call a")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/desk", "/v1/assignment?model=desk"])
@pytest.mark.parametrize(
    "headers",
    [{"authorization": None}, {"authorization": "Bearer wrong"}, {"authorization": None, "x_api_key": "wrong"}],
)
async def test_a_key_is_needed(path, headers):
    """Missing, malformed or wrong: one answer for all."""
    answer = await House(named("desk")).ask(path, **headers)

    assert (401, "Bearer", "false") == (
        answer.status_code,
        answer.headers["www-authenticate"],
        answer.headers["x-should-retry"],
    )
    assert "The API key is missing or not valid; send the key of your application." == answer.json()["error"]["message"]


@pytest.mark.parametrize("header", ["x_api_key", "api_key", "x_goog_api_key"])
async def test_a_key_may_come_in_other_headers(header):
    """Where SDKs put it."""
    assert 200 == (await House(named("desk")).ask("/v1/models", authorization=None, **{header: KEY})).status_code


async def test_without_applications_anyone_may_ask():
    """The snapshot says so."""
    assert 200 == (await House(named("desk"), is_open=True).ask("/v1/models", authorization=None)).status_code


async def test_an_assignment_tells_what_would_serve_a_unit():
    """Release, context, track and why, by the header or by the query."""
    candidate = playbook.release("1.1.0", context={"index": "kb-2"}, prompt=playbook.prompt())
    house = House(playbook.route(canary_ppm=1_000_000, candidate=candidate))
    told = (await house.ask("/v1/assignment?model=desk", x_pinion_unit="ada")).json()

    assert (
        "desk/1.1.0",
        "1.1.0",
        "canary",
        "ada",
        "header:x-pinion-unit",
        {"index": "kb-2"},
        "support@1.0.0",
    ) == tuple(told[name] for name in ("release", "version", "track", "unit", "unit_source", "context", "prompt"))
    assert told == (await house.ask("/v1/assignment?model=desk&unit=ada")).json()


async def test_an_assignment_without_a_unit_is_stable():
    """There is nothing to split by."""
    told = (await House(playbook.route(canary_ppm=1_000_000)).ask("/v1/assignment?model=desk")).json()

    assert ("1.0.0", "stable", None, None, None) == tuple(
        told[name] for name in ("version", "track", "unit", "unit_source", "prompt")
    )


async def test_an_assignment_is_that_of_the_governed_endpoints():
    """The same headers give the same bucket and release, in whatever characters the unit is written."""
    play = playbook.Play(playbook.route(canary_ppm=500_000))
    house = House(playbook.route(canary_ppm=500_000))
    for number in range(20):
        unit = f"Zoë-{number}".encode()
        told = (await house.ask("/v1/assignment?model=desk", x_pinion_unit=unit)).json()
        exchange, _ = play.open()
        exchange._caller.head.first[b"x-pinion-unit"] = unit
        exchange.body(b'{"model":"desk","messages":[{"role":"user","content":"hi"}]}')
        play.upstream.last.answer()

        assert (play.record.release, play.record.bucket) == (told["version"], told["bucket"])


async def test_a_rule_may_decide():
    """By the headers that are sent along."""
    rule = Rule(name="beta", release="1.1.0", headers={"x-beta": "1"})
    told = (await House(playbook.route(rules=(rule,))).ask("/v1/assignment?model=desk", x_beta="1")).json()

    assert ("1.1.0", "rule", "beta") == (told["version"], told["track"], told["why"])


async def test_an_assignment_needs_a_route():
    """The refusal shows how to ask."""
    answer = await House(playbook.route()).ask("/v1/assignment")

    assert (400, "invalid_request_error") == (answer.status_code, answer.json()["error"]["type"])
    assert "/v1/assignment?model=ROUTE" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/models/", "/v1/models/a/b", "/v2/models", "/V1/models", "/metrics", "/admin/v1/status"]
)
async def test_another_path_is_not_found(path):
    """In OpenAI's shape, with no redirect and nothing of the operations API."""
    answer = await House(playbook.route()).ask(path)

    assert (404, "invalid_request_error") == (answer.status_code, answer.json()["error"]["type"])
    assert f"there is no endpoint GET {path}" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/messages/batches", {}), ("/v1/none", {"anthropic_version": "2023-06-01"})]
)
async def test_anthropics_sdk_gets_errors_in_its_own_shape(path, headers):
    """By its path or by its version header."""
    answer = (await House(playbook.route()).ask(path, **headers)).json()

    assert ("error", "not_found_error") == (answer["type"], answer["error"]["type"])


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/desk", "/v1/assignment"])
async def test_another_method_is_refused_with_those_that_are_taken(path):
    """As HTTP asks."""
    answer = await House(playbook.route()).ask(path, "DELETE")

    assert (405, {"GET", "HEAD"}) == (answer.status_code, set(answer.headers["allow"].split(", ")))


async def test_a_long_path_is_cut_in_the_answer():
    """An error does not grow with what was asked."""
    assert len((await House().ask("/" + "x" * 5_000)).content) < 1_000


async def test_feedback_names_what_it_was_attached_to():
    """The request, and the release that served it; the ledger keeps it with the comment."""
    house = House()
    answer = await house.say(said={"value": 0.5, "comment": "so so"})

    assert 200 == answer.status_code
    assert {
        "request_id": "req-1",
        "route": "support",
        "release": "support/1.0.0",
        "track": "stable",
        "name": "resolved",
        "value": 0.5,
    } == answer.json()
    assert [(0.5, "so so")] == [(said.value, said.comment) for said in house.ledger.said]


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"content": b"{"}, 400, "The body is not JSON"),
        ({"content": b"[]"}, 400, "one JSON object"),
        ({"said": {"name": "A"}}, 400, "name must be 1 to 64 of a to z"),
        ({"said": {"comment": "a\0b"}}, 400, "comment must be a text, not an empty one, without the character NUL"),
        ({"said": {"value": "\ud83d"}}, 400, "half a surrogate pair"),
        ({"said": {"request_id": "req-2"}}, 404, "no request 'req-2' of this application"),
        ({"content": b" " * 65_537}, 413, "over 65536 bytes"),
        ({"authorization": "Bearer wrong"}, 401, "API key"),
    ],
)
async def test_feedback_that_cannot_be_taken_is_refused_in_the_dialects_shape(sent, status, said):
    """OpenAI's, or Anthropic's where its SDK asks; nothing is kept."""
    house = House()
    answer = await house.say(**sent)
    assert (status, "false") == (answer.status_code, answer.headers["x-should-retry"])
    assert said in answer.json()["error"]["message"]
    assert "error" == (await house.say(**sent, anthropic_version="2023-06-01")).json()["type"]
    assert [] == house.ledger.said


async def test_feedback_may_be_sent_again_while_the_ledger_is_away():
    """The answer says so, and nothing of files."""
    house = House()
    house.ledger.away = True
    answer = await house.say()
    assert (503, "1", "true") == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.headers["x-should-retry"],
    )
    assert "pinion-ledger" not in answer.text


async def test_a_key_that_the_store_may_hold_is_asked_to_come_again_while_it_is_away():
    """503 with a time, as at every governed endpoint."""
    house = House()
    house.snapshot = replace(house.snapshot, issued=frozenset())
    answer = await house.ask("/v1/models", authorization=f"Bearer {named_key('app', '3fK9aQ0z', 's' * 32)}")
    assert (503, "5", []) == (answer.status_code, answer.headers["retry-after"], house.denials.denied)


async def test_feedback_of_another_application_is_as_unknown():
    """What is not one's own is not there."""
    answer = await House(app=App("other", None)).say()
    assert 404 == answer.status_code
    assert "no request 'req-1' of this application" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "key", "operation"),
    [
        ("/v1/models", "wrong", "GET /v1/models"),
        ("/v1/models/secret", KEY, "GET /v1/models/{name}"),
        ("/v1/assignment?model=secret", KEY, "GET /v1/assignment"),
    ],
)
async def test_a_denial_is_told(path, key, operation):
    """With the operation as the API names it, and nothing of what was sent but the key, which is looked up."""
    house = House(named("secret"), app=App("helpdesk", frozenset({"a"})))
    await house.ask(path, authorization=f"Bearer {key}")
    app, why = ("helpdesk", "the route is not in the key's list") if key == KEY else (None, "no application's key")
    assert ([(operation, app, why)], [key.encode()]) == (house.denials.denied, house.denials.credentials)


async def test_feedback_with_a_key_of_nobody_is_a_denial():
    """And what is merely not found is none."""
    house = House()
    await house.say(authorization="Bearer wrong")
    await house.ask("/v1/models/none")
    assert [("POST /v1/feedback", None, "no application's key")] == house.denials.denied
