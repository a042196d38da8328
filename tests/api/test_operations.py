"""The operations API: health, metrics, what serves and why, and who may ask."""

import pytest
from jsonschema import Draft202012Validator

from gateway.api.openapi import document
from tests.api.office import ACTS, OPEN, READING, TOKEN, Office, office, said
from tests.control.serving_world import files, rolling, route, serving
from tests.proxy.playbook import Play

pytestmark = pytest.mark.anyio


async def test_health_is_told_apart_from_readiness():
    """Alive whatever happens; ready only when traffic may come, and why not otherwise."""
    async with office() as desk:
        assert (200, "alive\n") == ((await desk.get("/healthz")).status_code, (await desk.get("/healthz")).text)
        assert (200, "ready\n") == ((await desk.get("/readyz")).status_code, (await desk.get("/readyz")).text)
        desk.why_not = "draining"
        assert (503, "draining\n") == ((await desk.get("/readyz")).status_code, (await desk.get("/readyz")).text)
        assert 200 == (await desk.get("/healthz")).status_code


async def test_metrics_come_in_the_format_that_is_asked_for():
    """The Accept header decides, and the content type says what came."""
    async with office() as desk:
        answer = await desk.get("/metrics", accept="application/openmetrics-text")

        assert ("# for application/openmetrics-text\n", "text/plain; version=1.0.0") == (
            answer.text,
            answer.headers["content-type"],
        )


async def test_the_document_describes_every_path_that_is_served():
    """No endpoint is served that it leaves out, and none is described that is not there."""
    async with office() as desk:
        document = (await desk.get("/admin/v1/openapi.json")).json()

        assert {one.path for one in desk.application.routes} == set(document["paths"])


async def test_the_status_tells_what_serves_with_what_the_process_adds():
    """One JSON object."""
    async with office() as desk:
        status = (await desk.get("/admin/v1/status")).json()

        assert ("0.0.0", "desk", "running") == (
            status["version"],
            status["routes"][0]["route"],
            status["routes"][0]["rollout"]["state"],
        )


LIMITED = "kind: app\nname: helpdesk\nkeys: []\nlimits: [{requests: 600, per: 1m}]\n"


async def test_limits_of_applications_are_told_as_described():
    """Of all that have some, or of one; one that is not declared is a 404."""
    async with office(more=LIMITED) as desk:
        told = (await desk.get("/admin/v1/apps/limits")).json()
        assert told == (await desk.get("/admin/v1/apps/limits?app=helpdesk")).json()
        assert [600] == [limit["amount"] for limit in told["apps"][0]["limits"]]
        schemas = {"components": document()["components"]}
        Draft202012Validator({**schemas["components"]["schemas"]["AppLimits"], **schemas}).validate(told)
        refused = await desk.get("/admin/v1/apps/limits?app=none")
        assert (404, "no application 'none'; there is helpdesk") == (refused.status_code, said(refused))


async def test_explanations_of_a_unit_a_request_and_a_rollout():
    """Three questions at one path."""
    async with office() as desk:
        play = Play()
        play.ask()
        play.upstream.last.answer()
        desk.ledger.records["req-1"] = play.record
        unit = (await desk.get("/admin/v1/explain?route=desk&unit=ada")).json()
        request = (await desk.get("/admin/v1/explain?request=req-1")).json()
        rollout = (await desk.get("/admin/v1/explain?rollout=desk")).json()

        assert ("ada", "req-1", "start") == (unit["unit"], request["request_id"], rollout["events"][0]["verb"])
        assert rollout == (await desk.get("/admin/v1/rollouts/desk")).json()


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "say what to explain"),
        ("?route=desk", 400, "say what to explain"),
        ("?route=dsek&unit=ada", 404, "no route 'dsek'; there is desk"),
        ("?request=req-9", 404, "no record of request 'req-9'"),
        ("?rollout=dsek", 404, "no route 'dsek'"),
    ],
)
async def test_what_cannot_be_explained(query, status, message):
    """The refusal says what is missing."""
    async with office() as desk:
        answer = await desk.get(f"/admin/v1/explain{query}")

        assert status == answer.status_code
        assert message in said(answer)


async def test_a_ledger_that_is_away_is_a_503():
    """It may be back soon."""
    async with office() as desk:
        desk.ledger.away = True
        assert 503 == (await desk.get("/admin/v1/explain?request=req-1")).status_code


async def test_a_route_without_a_rollout_has_none_to_show():
    """That is a 404, with the route's name."""
    async with serving(files(route())) as process:
        answer = await Office(process, None).get("/admin/v1/rollouts/desk")

        assert (404, "route desk has had no rollout") == (answer.status_code, said(answer))


async def test_a_reload_is_told_as_it_ended():
    """Accepted is a 200, rejected a 422 with every reason."""
    async with office() as desk:
        assert (200, "accepted") == (
            (answer := await desk.act("/admin/v1/reload")).status_code,
            answer.json()["result"],
        )
        desk.files = {"all.yaml": "kind: nonsense\n"}
        answer = await desk.act("/admin/v1/reload")

        assert (422, "rejected", "all.yaml") == (
            answer.status_code,
            answer.json()["result"],
            answer.json()["problems"][0]["file"],
        )


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
@pytest.mark.parametrize("path", [*READING, *ACTS])
async def test_with_a_token_everything_that_matters_needs_it(path, authorization):
    """The refusal is the same whatever was wrong, and nothing happens."""
    async with office(TOKEN) as desk:
        headers = {} if authorization is None else {"authorization": authorization}
        ask = desk.act if path in ACTS else desk.get
        answer = await ask(path, **headers)

        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
        assert "this needs the operator token, as a Bearer token" == said(answer)
        assert "running" == desk.process.state


@pytest.mark.parametrize("path", OPEN)
async def test_probes_metrics_and_the_document_need_no_token(path):
    """Orchestrators and Prometheus have none, and nothing in them is secret."""
    async with office(TOKEN) as desk:
        assert 200 == (await desk.get(path)).status_code


async def test_the_token_acts_from_any_name_and_is_recorded_so():
    """Who has it may come from elsewhere."""
    async with office(TOKEN) as desk:
        answer = await desk.act(
            "/admin/v1/rollouts/desk/rollback", host="gateway.test:8081", authorization=f"bearer  {TOKEN}"
        )

        assert (200, "operator") == (answer.status_code, answer.json()["actor"])


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8081",
        "127.evil.test",
        "127.0.0.1.evil.test:8081",
        "10.0.0.1",
        "[2001:db8::1]:8081",
        "evil]",
    ],
)
@pytest.mark.parametrize("path", [*READING, *ACTS])
async def test_without_a_token_only_loopback_names_are_answered(path, host):
    """A page whose own name was pointed at loopback sends that name."""
    async with office() as desk:
        ask = desk.act if path in ACTS else desk.get

        assert 403 == (await ask(path, host=host)).status_code
        assert "running" == desk.process.state


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8081", "127.0.0.1", "127.8.8.8:1", "localhost:8081", "LOCALHOST", "[::1]:8081", "[::1]", ""]
)
async def test_loopback_has_several_names(host):
    """Any of them is this machine."""
    async with office() as desk:
        assert 200 == (await desk.get("/admin/v1/status", host=host)).status_code


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("path", ACTS)
async def test_an_act_must_say_that_it_is_json(path, content_type):
    """What a web page may send without asking is never an act."""
    async with office() as desk:
        answer = await desk.act(path, **{"content-type": content_type})

        assert (415, "running") == (answer.status_code, desk.process.state)


async def test_no_other_origin_is_given_leave():
    """A browser that asks first is told nothing that would let it go on."""
    async with office() as desk, desk.client(origin="http://evil.test") as client:
        answer = await client.options("/admin/v1/rollouts/desk/rollback")

        assert 405 == answer.status_code
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "path", ["/", "/admin", "/admin/v1", "/admin/v1/status/", "//admin/v1/status", "/admin/v1/%73tatus/x", "/metrics/"]
)
async def test_another_path_is_not_found_and_leads_nowhere(path):
    """No redirect either, which would name whatever host the request names."""
    async with office(TOKEN) as desk:
        answer = await desk.get(path, host="evil.test")

        assert (404, "Not Found") == (answer.status_code, said(answer))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [*((path, "GET, HEAD") for path in (*OPEN, "/admin/v1/status")), *((path, "POST") for path in ACTS)],
)
async def test_another_method_is_refused_with_the_one_that_is_taken(path, allowed):
    """As HTTP asks."""
    async with office() as desk, desk.client() as client:
        answer = await client.delete(path)

        assert (405, set(allowed.split(", "))) == (answer.status_code, set(answer.headers["allow"].split(", ")))


async def test_no_answer_holds_a_secret():
    """Not the token, nor a provider's credential, in any answer of any path."""
    secret = "sk-canary-7d1f"
    keyed = {"all.yaml": rolling()["all.yaml"].replace("/v1\n", "/v1\ncredential: {env: SIM_KEY}\n", 1)}
    async with serving(files(route())) as process:
        process.secrets.known["env:SIM_KEY"] = secret
        desk = Office(process, TOKEN)
        desk.files = keyed
        token = {"authorization": f"Bearer {TOKEN}"}
        answers = [await desk.act(path, **token) for path in ACTS] + [
            await desk.get(path, **token) for path in READING + OPEN
        ]

        assert "running" in answers[-len(READING + OPEN)].text
        for answer in answers:
            assert secret not in answer.text
            assert TOKEN not in f"{answer.text}{answer.headers}"
