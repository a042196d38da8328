"""Providers that fail: before the answer another release takes over, within it the client is told, never deceived."""

import email.utils
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest

from tests.endtoend.harness import CANDIDATE, HELLO, OTHER, STABLE

PAGE = "<html>"

BEFORE_CONTENT = [
    {"cut_head": True},
    {"cut_event": 0},
    {"cut_event": 1},
    {"cut_at": 100},
    {"omit_done": True, "length": 0, "cut_event": 1},
    {"error_rate": 1},
    {"error_rate": 1, "error_status": 429},
    {"error_rate": 1, "error_status": 529},
    {"error_rate": 1, "error_status": 401},
    {"error_rate": 1, "error_status": 403},
    {"error_rate": 1, "error_status": 404},
    {"html_error": True},
    {"json_error_on_stream": True},
    {"stream_error": {"after": 0}},
    {"stream_error": {"after": 1}},
]
"""Ways in which a stream fails before it has said anything."""

WHOLE = [
    {"cut_head": True},
    {"cut_at": 0},
    {"cut_at": 300},
    {"malformed": "json"},
    {"malformed": "truncated_json"},
    {"error_rate": 1},
    {"error_rate": 1, "error_status": 429},
    {"html_error": True},
]
"""Ways in which an answer that is no stream fails."""


@pytest.mark.parametrize("faults", BEFORE_CONTENT, ids=str)
def test_a_chat_stream_without_content_falls_back(take, openai_sdk, faults):
    """Until the first content the fallback can answer, and the client sees one stream, with one beginning."""
    route = take("backed")
    route.behave(**faults)
    chunks = list(openai_sdk.chat.completions.create(**route.body(), stream=True))
    assert {route.model(OTHER)} == {chunk.model for chunk in chunks}
    assert 1 == sum(chunk.choices[0].delta.role == "assistant" for chunk in chunks)
    assert "stop" == chunks[-1].choices[0].finish_reason
    assert 1 == len(route.received(OTHER))
    assert_the_second_attempt_answered(route)


@pytest.mark.parametrize("faults", BEFORE_CONTENT, ids=str)
def test_a_message_stream_without_content_falls_back(take, anthropic_sdk, faults):
    """On Anthropic's wire too, with one message_start: an overload told as the first event is not the answer."""
    route = take("messages-backed")
    route.behave(**faults)
    events = list(anthropic_sdk.messages.create(**route.body(), stream=True))
    assert [route.model(OTHER)] == [event.message.model for event in events if event.type == "message_start"]
    assert "message_stop" == events[-1].type
    assert_the_second_attempt_answered(route)


def assert_the_second_attempt_answered(route):
    """One attempt failed, and the fallback's answer was good."""
    ending = route.ending()
    assert ("fallback", OTHER, "ok", 2) == tuple(ending[key] for key in ("track", "release", "outcome", "attempts"))


@pytest.mark.parametrize("faults", WHOLE, ids=str)
@pytest.mark.parametrize(("kind", "path"), [("backed", "/v1/chat/completions"), ("messages-backed", "/v1/messages")])
def test_a_whole_answer_that_fails_falls_back(take, http, kind, path, faults):
    """An answer is whole before it is passed on, so that a broken one is never seen."""
    route = take(kind)
    route.behave(**faults)
    answer = http.post(path, json=route.body())
    assert (200, route.model(OTHER)) == (answer.status_code, answer.json()["model"])
    assert ("fallback", f"{route.name}/{OTHER}") == (
        answer.headers["x-pinion-track"],
        answer.headers["x-pinion-release"],
    )


def test_a_failing_canary_is_not_seen(take, http):
    """Stable answers what the canary fails on, before the first byte, and after three failures the canary is out."""
    route = take("canaried")
    route.world.gateway.act("start", route.name)
    route.behave(CANDIDATE, error_rate=1)
    answers = [http.post("/v1/chat/completions", json=route.body(stream=number % 2 == 1)) for number in range(6)]
    assert {200} == {answer.status_code for answer in answers}
    assert {f"{route.name}/{STABLE}"} == {answer.headers["x-pinion-release"] for answer in answers}
    assert 3 == len(route.received(CANDIDATE))


@pytest.mark.parametrize("cut", [2, 5])
def test_a_chat_stream_that_is_cut_raises(take, openai_sdk, cut):
    """A cut after content raises in OpenAI's SDK, and is counted as failed; no other release speaks in its place."""
    route = take("backed")
    route.behave(cut_event=cut)
    texts = []
    with pytest.raises(openai.APIError, match="before the end") as caught:
        texts.extend(chunk for chunk in openai_sdk.chat.completions.create(**route.body(), stream=True))
    assert not isinstance(caught.value, openai.APIConnectionError)
    assert cut == len(texts)
    assert (STABLE, "failed") == (route.ending()["release"], route.ending()["outcome"])
    assert [] == route.received(OTHER)


def test_a_message_stream_that_is_cut_raises(take, anthropic_sdk):
    """A cut after content is an `error` event, which raises in Anthropic's SDK."""
    route = take("messages-backed")
    route.behave(cut_event=5)
    with pytest.raises(anthropic.APIStatusError, match="before the end") as caught:
        list(anthropic_sdk.messages.create(**route.body(), stream=True))
    assert "api_error" == caught.value.body["error"]["type"]
    assert (STABLE, "failed") == (route.ending()["release"], route.ending()["outcome"])


def test_a_response_stream_that_is_cut_has_failed(take, openai_sdk):
    """On the Responses wire the last event is `response.failed`, with the response's id and the next number."""
    route = take("chat")
    route.behave(cut_event=6)
    events = list(openai_sdk.responses.create(model=route.name, input="Hello?", stream=True))
    assert ("response.failed", 6) == (events[-1].type, events[-1].sequence_number)
    assert events[0].response.id == events[-1].response.id
    assert "before the end" in events[-1].response.error.message
    assert [] == [event for event in events if event.type == "response.completed"]


@pytest.mark.parametrize("faults", [{"cut_at": 1500}, {"cut_at": 1501}, {"cut_at": 1700, "split": 1}], ids=str)
def test_half_an_event_is_never_relayed(take, http, faults):
    """What the provider sent of an event that it did not end is dropped before the error is told."""
    route = take("chat")
    route.behave(**faults)
    events = http.post("/v1/chat/completions", json=route.body(stream=True)).text.split("\n\n")
    assert "" == events.pop()
    assert all(event.startswith("data: {") and event.endswith("}") for event in events)
    assert '"error"' in events[-1]
    assert 1 == sum('"error"' in event for event in events)


@pytest.mark.parametrize(
    ("kind", "path"), [("chat", "/v1/chat/completions"), ("messages", "/v1/messages"), ("chat", "/v1/completions")]
)
def test_a_stream_without_its_end_has_not_ended(take, http, kind, path):
    """A stream that merely stops, well within its content, is told as an error though the provider closed it well."""
    route = take(kind)
    route.behave(cut_event=5, comments=True)
    body = route.body(stream=True) | ({"prompt": "Once"} if path == "/v1/completions" else {})
    text = http.post(path, json=body).text
    assert '"error"' in text
    assert not any(end in text for end in ("[DONE]", "message_stop", '"finish_reason":"stop"'))


def test_an_answer_cut_after_its_last_word_is_whole(take, openai_sdk):
    """When every choice has finished, a connection that is lost before [DONE] costs the client nothing."""
    route = take("chat")
    route.behave(cut_event=15, usage={"prompt_tokens": 10, "completion_tokens": 5})
    chunks = list(openai_sdk.chat.completions.create(**route.body(), stream=True))
    assert ("stop", 12) == (
        chunks[-1].choices[0].finish_reason,
        sum(bool(one.choices[0].delta.content) for one in chunks),
    )
    assert ("ok", 5) == (route.ending()["outcome"], route.ending()["output_tokens"])


def test_an_error_within_a_stream_is_passed_on(take, openai_sdk, anthropic_sdk):
    """What the provider tells after some content raises with the provider's own words, and is counted as failed.

    The content comes a moment before: an error that comes with it is heard in time for another release to answer.
    """
    told = {"after": 6, "type": "overloaded_error", "message": "too much to do"}
    chat, messages = take("chat"), take("messages")
    chat.behave(stream_error=told, rate=50)
    messages.behave(stream_error=told, rate=50)
    with pytest.raises(openai.APIError, match="too much to do"):
        list(openai_sdk.chat.completions.create(**chat.body(), stream=True))
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(anthropic_sdk.messages.create(**messages.body(), stream=True))
    assert "overloaded_error" == caught.value.body["error"]["type"]
    assert ["failed", "failed"] == [route.ending()["outcome"] for route in (chat, messages)]


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"cut_head": True}, 502),
        ({"html_error": True}, 502),
        ({"malformed": "json"}, 502),
        ({"error_rate": 1, "error_status": 500}, 500),
        ({"error_rate": 1, "error_status": 503}, 503),
        ({"error_rate": 1, "error_status": 401}, 502),
        ({"error_rate": 1, "error_status": 403}, 502),
        ({"error_rate": 1, "error_status": 404}, 404),
        ({"error_rate": 1, "error_status": 422}, 422),
    ],
    ids=str,
)
@pytest.mark.parametrize(("kind", "path"), [("chat", "/v1/chat/completions"), ("messages", "/v1/messages")])
def test_the_last_failure_is_told_in_the_dialects_shape(take, http, kind, path, faults, status):
    """With nothing left to try, the error has the dialect's shape and the status that fits, and bids no more tries."""
    route = take(kind)
    route.behave(**faults)
    answer = http.post(path, json=route.body())
    assert (status, "false") == (answer.status_code, answer.headers["x-should-retry"])
    assert "application/json" == answer.headers["content-type"]
    assert answer.json()["error"]["message"]
    assert PAGE not in answer.text
    assert ("error" == answer.json().get("type")) is (kind == "messages")


def test_the_providers_word_on_the_gateways_key_stays_here(take, http):
    """A 401 from the provider may quote the gateway's credential: neither it nor the status reaches a client."""
    route = take("chat")
    route.behave(error_rate=1, error_status=401, error_body='{"error":{"message":"bad key sk-upstream-openai"}}')
    answer = http.post("/v1/chat/completions", json=route.body())
    assert 502 == answer.status_code
    assert "sk-upstream" not in answer.text


def test_sdks_do_not_try_again_what_pinion_has_tried(world, take):
    """With the SDK's own retries on, a failing provider gets the gateway's two attempts and no more."""
    route = take("chat")
    route.behave(error_rate=1, error_status=503)
    with (
        openai.OpenAI(base_url=f"{world.url}/v1", api_key="pk-desk-5f1c0a", max_retries=2) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(**route.body())
    assert 2 == len(route.received())


def test_retries_of_an_sdk_are_counted(world, take):
    """A rate limit leaves the wait to the client: its SDK tries again, and the gateway counts that it did."""
    route = take("chat")
    route.behave(error_rate=1, error_status=429, error_headers={"retry-after-ms": "1"})
    with (
        openai.OpenAI(base_url=f"{world.url}/v1", api_key="pk-desk-5f1c0a", max_retries=2) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(**route.body())
    assert ["0", "1", "2"] == [one.header("x-stainless-retry-count") for one in route.received()]
    assert 2 == route.count("pinion_sdk_retries_total")
    assert 3 == route.count("pinion_requests_total", outcome="rate_limited")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "0"}, {"retry-after": "0"}),
        ({"retry-after": "7"}, {"retry-after": "7"}),
        ({"retry-after": "0.5"}, {"retry-after": "0.5"}),
        ({"retry-after": "120"}, {"retry-after": "120"}),
        ({"retry-after": "121"}, {"retry-after": "120"}),
        ({"retry-after": "3600"}, {"retry-after": "120"}),
        ({"retry-after": "3600.5"}, {"retry-after": "120"}),
        ({"retry-after-ms": "250"}, {"retry-after-ms": "250"}),
        ({"retry-after-ms": "3600000"}, {"retry-after-ms": "120000"}),
        ({"retry-after-ms": "250", "retry-after": "1"}, {"retry-after-ms": "250", "retry-after": "1"}),
    ],
    ids=str,
)
@pytest.mark.parametrize(("kind", "path"), [("chat", "/v1/chat/completions"), ("messages", "/v1/messages")])
def test_a_wait_is_passed_on_but_never_a_long_one(take, http, kind, path, headers, expected):
    """A rate limit keeps its wait, at most two minutes: one SDK gives up on more, the other sleeps for all of it."""
    route = take(kind)
    route.behave(error_rate=1, error_status=429, error_headers=headers)
    answer = http.post(path, json=route.body())
    assert 429 == answer.status_code
    assert expected == {
        name: answer.headers[name] for name in ("retry-after-ms", "retry-after") if name in answer.headers
    }
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize(("seconds", "passes"), [(60, True), (86_400, False)])
def test_a_wait_may_be_a_date(take, http, seconds, passes):
    """A wait may be told as the time of its end, which is held to the same two minutes."""
    route = take("chat")
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    route.behave(error_rate=1, error_status=429, error_headers={"retry-after": date})
    answer = http.post("/v1/chat/completions", json=route.body())
    assert (date if passes else "120") == answer.headers["retry-after"]


@pytest.mark.parametrize("hang", ["head", "first"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "path"), [("hasty", "/v1/chat/completions"), ("messages-hasty", "/v1/messages")])
def test_a_silent_provider_is_given_up(take, http, kind, path, stream, hang):
    """A provider that sends nothing within its first_byte time is a 504, and its connection is closed."""
    route = take(kind)
    route.behave(hang=hang)
    answer = http.post(path, json=route.body(stream=stream))
    assert (504, "false") == (answer.status_code, answer.headers["x-should-retry"])
    assert "sent nothing for 0.4 s" in answer.json()["error"]["message"]
    route.left()


def test_a_provider_that_falls_silent_is_given_up(take, openai_sdk):
    """Silence within a stream longer than the idle time raises, and the connection to the provider is closed."""
    route = take("hasty")
    route.behave(hang="middle", length=40)
    with pytest.raises(openai.APIError, match="fell silent"):
        list(openai_sdk.chat.completions.create(**route.body(), stream=True))
    route.left()


def test_a_provider_that_drips_is_given_up(take, anthropic_sdk):
    """A stream that never falls silent and never ends has its total time and no more."""
    route = take("messages-hasty")
    route.behave(length=1000, rate=10)
    with pytest.raises(anthropic.APIStatusError, match=r"took longer than 1\.5 s"):
        list(anthropic_sdk.messages.create(**route.body(max_tokens=1000), stream=True))
    route.left()


def test_comments_are_no_sign_of_silence_within_a_stream(take, openai_sdk):
    """A slow stream that stays under its idle time is left alone."""
    route = take("hasty")
    route.behave(length=8, rate=8)
    assert 8 == sum(
        bool(chunk.choices[0].delta.content)
        for chunk in openai_sdk.chat.completions.create(**route.body(), stream=True)
    )


def test_a_stale_connection_is_replaced(take, http):
    """A kept connection that the provider closes as it is used costs one more try on a new one, and no failure."""
    route = take("unpriced")
    assert 200 == http.post("/v1/chat/completions", json=route.body()).status_code
    route.behave(cut_reused=True)
    assert 200 == http.post("/v1/chat/completions", json=route.body()).status_code
    received = route.received()
    assert [False, True, False] == [one.cut for one in received]
    assert 1 == len({received[0].connection, received[1].connection})
    assert 0 == route.count("pinion_requests_total", outcome="failed")


def test_a_fresh_connection_that_is_cut_is_a_failure(take, http):
    """Only a kept connection gets that second try: a provider that cuts a new one has failed."""
    route = take("unpriced")
    route.behave(cut_head=True)
    assert 502 == http.post("/v1/chat/completions", json=route.body()).status_code
    assert "failed" == route.ending()["outcome"]


def test_no_free_connection_is_a_quick_503(take, http):
    """When all of a provider's connections are taken, the answer is a 503, and no release is blamed."""
    holding, waiting = take("narrow"), take("narrow")
    holding.behave(hang="middle")
    with http.stream("POST", "/v1/chat/completions", json=holding.body(stream=True)) as held:
        pieces = held.iter_raw()  # kept: the stream closes with it
        next(pieces)
        answer = http.post("/v1/chat/completions", json=waiting.body())
        assert 503 == answer.status_code
        assert [] == waiting.received()
        assert "gateway_fault" == waiting.ending()["outcome"]
    holding.left()
    assert 200 == http.post("/v1/chat/completions", json=waiting.body()).status_code


def test_a_request_at_fault_is_not_tried_again(take, http):
    """What the provider refuses as the client's fault comes back as it is, without a second attempt or a fallback."""
    route = take("backed")
    answer = http.post("/v1/chat/completions", json={"model": route.name, "messages": list(HELLO), "n": 0})
    assert (400, "n") == (answer.status_code, answer.json()["error"]["param"])
    assert [1, 0] == [len(route.received(version)) for version in (STABLE, OTHER)]
    assert "client_fault" == route.ending()["outcome"]


def test_retries_make_a_brown_out_hardly_worse(take, http):
    """A provider that fails half of 40 requests at once is sent a fifth more, and three; then its breaker is open.

    From then on it is asked once for each request, since nothing else can answer.
    """
    route = take("wavering")
    route.behave(error_rate=0.5, latency=1)

    def ask(_number: int) -> int:
        return http.post("/v1/chat/completions", json=route.body()).status_code

    with ThreadPoolExecutor(40) as crowd:
        statuses = list(crowd.map(ask, range(40)))
    assert {200, 500} == {*statuses}
    asked = len(route.received())
    assert 40 < asked <= 40 * 1.2 + 3
    assert (1, True) == (route.count("pinion_breaker_open"), route.count("pinion_retries_withheld_total") > 0)
    route.behave(latency=0)
    for number in range(10):
        ask(number)
    assert asked + 10 == len(route.received())
