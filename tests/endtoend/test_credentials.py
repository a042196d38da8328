"""Keys and headers: who may call what, what the provider sees of a caller, and what a caller sees of the provider."""

import pytest

from tests.endtoend.harness import FORCING_KEY, HELLO, KEY, LIMITED_KEY, LIMITED_ROUTES, OTHER, STABLE, request
from tests.gateway_process import CREDENTIALS

WRONG = "pk-nobody-000000"

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"


def shape_of(path):
    """Reads an error in the dialect of a path: its type and its message."""

    def read(answer):
        document = answer.json()
        if path == ANTHROPIC:
            assert {"type", "error", "request_id"} == document.keys()
            assert "error" == document["type"]
            assert answer.headers["x-request-id"] == document["request_id"]
        else:
            assert {"message", "type", "param", "code"} == document["error"].keys()
        return document["error"]["type"], document["error"]["message"]

    return read


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"x-goog-api-key": KEY},
        {"authorization": f"Bearer {KEY}", "x-api-key": WRONG},
        {"authorization": "Basic cGs6cGs=", "x-api-key": KEY},
        {"x-api-key": KEY, "api-key": WRONG},
    ],
)
@pytest.mark.parametrize(("path", "kind"), [(OPENAI, "chat"), (ANTHROPIC, "messages")])
def test_a_key_is_taken_from_where_sdks_put_it(take, http, headers, path, kind):
    """Every header that SDKs use works on both wires; where two differ, Bearer counts before x-api-key."""
    route = take(kind)
    answer = http.post(path, json=route.body(), headers={"authorization": "", **headers})
    assert 200 == answer.status_code, answer.text
    assert_nothing_of_the_caller_went_on(route.only(), [KEY, WRONG, "cGs6cGs="])


def assert_nothing_of_the_caller_went_on(received, secrets):
    """The secrets are in no header, in no part of the target and nowhere in the body; the gateway's own is."""
    told = "\n".join([received.target, *(f"{name}: {value}" for name, value in received.headers)])
    assert [] == [secret for secret in secrets if secret in told or secret.encode() in received.body]
    credentials = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
    shown = {name: value for name, value in received.headers if name in credentials}
    assert shown in (
        {"authorization": f"Bearer {CREDENTIALS['OPENAI_API_KEY']}"},
        {"x-api-key": CREDENTIALS["ANTHROPIC_API_KEY"]},
    )


def test_what_names_the_caller_stays(take, http):
    """Cookies, addresses, hop-by-hop fields and Pinion's own headers do not reach the provider."""
    route = take("chat")
    private = {
        "cookie": "session=c00kie",
        "x-forwarded-for": "192.0.2.7",
        "forwarded": "for=192.0.2.7",
        "x-real-ip": "192.0.2.7",
        "proxy-authorization": "Basic c2VjcmV0",
        "x-pinion-unit": "u-192.0.2.7",
        "x_api_key": KEY,
        "connection": "keep-alive, x-hop",
        "x-hop": "192.0.2.7",
        "te": "trailers",
    }
    assert 200 == http.post(OPENAI, json=route.body(), headers=private).status_code
    received = route.only()
    assert_nothing_of_the_caller_went_on(received, [KEY, "c00kie", "192.0.2.7", "c2VjcmV0"])
    assert {"host", "content-length", "content-type", "accept-encoding", "accept", "user-agent", "authorization"} == {
        name for name, _ in received.headers
    }


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_what_the_provider_needs_goes_on(take, http, version):
    """The API version, beta flags, idempotency keys and the trace go on as they came; so does the query."""
    route = take("messages")
    passed = {
        "anthropic-version": version,
        "anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14",
        "idempotency-key": "k-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=1",
        "user-agent": "agent/1",
        "x-stainless-lang": "python",
    }
    assert 200 == http.post(f"{ANTHROPIC}?beta=true", json=route.body(), headers=passed).status_code
    received = route.only()
    assert passed == {name: received.header(name) for name in passed}
    assert f"{ANTHROPIC}?beta=true" == received.target


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": f"Bearer {WRONG}"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": "\u00e9".encode()},
        {"authorization": f"Bearer {KEY}x"},
    ],
)
def test_every_wrong_key_is_the_same_401(http, path, headers):
    """A missing, malformed or wrong key is one generic 401 in the dialect's shape, whatever else is wrong."""
    answer = http.post(path, content=b"not even JSON", headers={"authorization": "", **headers})
    kind, message = shape_of(path)(answer)
    assert (401, "Bearer", "false") == (
        answer.status_code,
        answer.headers["www-authenticate"],
        answer.headers["x-should-retry"],
    )
    assert "The API key is missing or not valid; send the key of your application." == message
    assert kind == {OPENAI: "invalid_request_error", ANTHROPIC: "authentication_error"}[path]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/chat-002", "/v1/assignment?model=chat-002"])
def test_the_lists_take_a_key_too(http, path):
    """What lists routes and tells assignments is behind the same key, and refuses a wrong one in the same words."""
    answer = http.get(path, headers={"authorization": f"Bearer {WRONG}"})
    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert "The API key is missing or not valid; send the key of your application." == shape_of(path)(answer)[1]


@pytest.mark.parametrize(("path", "known"), [(OPENAI, LIMITED_ROUTES[0]), (ANTHROPIC, LIMITED_ROUTES[1])])
@pytest.mark.parametrize("name", ["chat-002", "messages-002", "no-such-route"])
def test_a_route_outside_the_keys_list_is_a_404(http, path, known, name):
    """A route that the key may not call is told apart from none in nothing: 404, naming those that it may call."""
    body = {"model": name, "messages": list(HELLO), "max_tokens": 1}
    headers = {"authorization": f"Bearer {LIMITED_KEY}"}
    answer = http.post(path, json=body, headers=headers)
    _, message = shape_of(path)(answer)
    assert 404 == answer.status_code
    assert f"no route {name!r} for this key; it may call {', '.join(LIMITED_ROUTES)}" == message
    assert 200 == http.post(path, json={**body, "model": known}, headers=headers).status_code


@pytest.mark.parametrize("is_anthropic", [False, True])
def test_the_list_of_models_is_the_keys_own(http, is_anthropic):
    """`/v1/models` shows the routes that the key may call and no other, in the shape of the SDK that asks."""
    headers = {"authorization": f"Bearer {LIMITED_KEY}"} | ({"anthropic-version": "2023-06-01"} if is_anthropic else {})
    listed = http.get("/v1/models", headers=headers).json()
    assert list(LIMITED_ROUTES) == [model["id"] for model in listed["data"]]
    assert ("has_more" if is_anthropic else "object") in listed
    assert 404 == http.get("/v1/models/chat-002", headers=headers).status_code


def test_a_route_answers_on_its_own_wire_alone(take, http):
    """A route of one dialect is a 404 at the other's endpoints, which says why."""
    route = take("messages")
    answer = http.post(OPENAI, json=route.body())
    assert 404 == answer.status_code
    assert "speaks anthropic, not openai" in answer.json()["error"]["message"]


def test_forcing_a_release_takes_a_right(take, http):
    """x-pinion-release is a 403 without the right; with it the release answers, named either way."""
    route = take("backed")
    answer = http.post(OPENAI, json=route.body(), headers={"x-pinion-release": OTHER})
    assert 403 == answer.status_code
    assert [] == route.received() + route.received(OTHER)
    for named in (OTHER, f"{route.name}/{OTHER}"):
        headers = {"authorization": f"Bearer {FORCING_KEY}", "x-pinion-release": named}
        answer = http.post(OPENAI, json=route.body(), headers=headers)
        assert (200, "forced") == (answer.status_code, answer.headers["x-pinion-track"])
        assert f"{route.name}/{OTHER}" == answer.headers["x-pinion-release"]
    headers = {"authorization": f"Bearer {FORCING_KEY}", "x-pinion-release": "9.9.9"}
    assert 403 == http.post(OPENAI, json=route.body(), headers=headers).status_code


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("faults", [{}, {"error_rate": 1, "error_status": 400}, {"cut_head": True}])
def test_every_answer_says_who_answered(take, http, stream, faults):
    """Good answers, the provider's errors and Pinion's own carry the request's id, route, release, model and track."""
    route = take("prompted")
    route.behave(**faults)
    answer = http.post(OPENAI, json=route.body(stream=stream, prompt={"variables": {"product": "kettles"}}))
    told = {name.removeprefix("x-pinion-"): value for name, value in answer.headers.items() if "x-pinion-" in name}
    assert {
        "route": route.name,
        "release": f"{route.name}/{STABLE}",
        "model": f"{route.name}-v100@2026-01-15",
        "prompt": "helpdesk@1.0.0",
        "track": "stable",
    } == told
    assert answer.headers["x-request-id"].startswith("req_")


def test_the_providers_id_has_a_name_of_its_own(take, http):
    """x-request-id is Pinion's; the provider's own comes as x-upstream-request-id, its other headers as they were."""
    route = take("chat")
    route.behave(
        ratelimit_headers={"x-ratelimit-remaining-requests": "7", "x-pinion-track": "forged", "set-cookie": "a=b"}
    )
    answer = http.post(OPENAI, json=route.body())
    assert answer.headers["x-request-id"] != answer.headers["x-upstream-request-id"]
    assert "7" == answer.headers["x-ratelimit-remaining-requests"]
    assert ("stable", False) == (answer.headers["x-pinion-track"], "set-cookie" in answer.headers)
    assert answer.headers["x-request-id"] == route.ending()["request_id"]


def test_a_key_in_the_target_is_not_asked_for(world):
    """A key in the query is none: it would stand in the logs of every proxy on the way."""
    answer = world.ask(request(f"{OPENAI}?key={KEY}", b"{}", key=None))
    assert 401 == answer.status
