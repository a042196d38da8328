"""Tokens and cost: asked for where the client did not, hidden from it again, and counted for every kind of end."""

import pytest

from tests.endtoend.harness import OTHER, PRICE, STABLE
from tests.gateway_process import wait_until

USED = {"prompt_tokens": 1000, "completion_tokens": 100}
COST = (1000 * PRICE["input"] + 100 * PRICE["output"]) / 1e6
"""Of `USED`, in US dollars."""


def chunks_of(http, route, **fields):
    """The events of a stream of chat, as bytes."""
    answer = http.post("/v1/chat/completions", json=route.body(stream=True, **fields))
    assert 200 == answer.status_code, answer.text
    return answer.content.split(b"\n\n")[:-1]


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_usage_nobody_asked_for_is_hidden(take, http, options):
    """A stream whose client did not ask for usage, or refused it, shows none, and its cost is known all the same."""
    route = take("chat")
    route.behave(usage=USED)
    chunks = chunks_of(http, route, **options)
    assert [] == [chunk for chunk in chunks if b'"usage"' in chunk or b'"choices":[]' in chunk]
    assert b"data: [DONE]" == chunks[-1]
    assert {"include_usage": True} == route.only().json()["stream_options"]
    assert pytest.approx(COST) == route.count("pinion_cost_usd_total")


def test_usage_that_was_asked_for_is_shown(take, openai_sdk):
    """A client that asks for usage gets it in the chunk before the end."""
    route = take("chat")
    route.behave(usage=USED)
    options = {"include_usage": True}
    chunks = list(openai_sdk.chat.completions.create(**route.body(), stream=True, stream_options=options))
    assert (1000, 100) == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)
    assert [None] * (len(chunks) - 1) == [chunk.usage for chunk in chunks[:-1]]


def test_other_stream_options_pass(take, http):
    """Asking for usage keeps the options that the client did send."""
    route = take("chat")
    chunks_of(http, route, stream_options={"include_obfuscation": False, "step_usage_chunks": 3})
    expected = {"include_obfuscation": False, "step_usage_chunks": 3, "include_usage": True}
    assert expected == route.only().json()["stream_options"]


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_a_provider_that_tells_no_usage_is_an_unknown_cost(take, http, options):
    """A provider that ignores the wish for usage streams as ever, and its cost is unknown, not zero."""
    route = take("chat")
    route.behave(omit_usage=True)
    assert b"data: [DONE]" == chunks_of(http, route, **options)[-1]
    assert 1 == route.count("pinion_cost_unknown_total")
    assert 0 == route.count("pinion_cost_usd_total")


def test_a_first_chunk_without_choices_stays(take, http):
    """The chunk with which Azure begins, without choices and without usage, reaches the client."""
    route = take("chat")
    first = {"choices": [], "id": "", "prompt_filter_results": [{"prompt_index": 0}]}
    route.behave(first_event=first)
    assert b"prompt_filter_results" in chunks_of(http, route)[0]


def test_a_model_without_a_price_is_an_unknown_cost(take, http):
    """Tokens of a model that neither the policies nor the price library know are counted; their cost is unknown."""
    route = take("unpriced")
    http.post("/v1/chat/completions", json=route.body())
    assert 12 == route.count("pinion_tokens_total", kind="output")
    assert 1 == route.count("pinion_cost_unknown_total")
    assert 0 == route.count("pinion_cost_usd_total")


def test_openai_usage_is_priced_by_its_parts(take, http):
    """Cached and written tokens lie inside the input, each at its own rate; reasoning lies inside the output."""
    route = take("chat")
    parts = {"cached_tokens": 600, "cache_write_tokens": 100}
    route.behave(usage={**USED, "prompt_tokens_details": parts, "completion_tokens_details": {"reasoning_tokens": 40}})
    http.post("/v1/chat/completions", json=route.body())
    expected = (300 * 1 + 600 * 0.1 + 100 * 1.25 + 100 * 10) / 1e6
    assert pytest.approx(expected) == route.count("pinion_cost_usd_total")
    assert 600 == route.count("pinion_tokens_total", kind="cached_input")


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_usage_is_priced_by_its_parts(take, http, stream):
    """Input excludes the cache there; writes of five minutes and of an hour have rates of their own."""
    route = take("messages")
    route.behave(
        usage={
            "input_tokens": 300,
            "cache_read_input_tokens": 600,
            "cache_creation_input_tokens": 100,
            "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
            "output_tokens": 50,
        }
    )
    http.post("/v1/messages", json=route.body(stream=stream))
    expected = (300 * 1 + 600 * 0.1 + 60 * 1.25 + 40 * 2 + 50 * 10) / 1e6
    assert pytest.approx(expected) == route.count("pinion_cost_usd_total")
    assert 1000 == route.count("pinion_tokens_total", kind="input")


def test_later_usage_overwrites_earlier(take, http):
    """Servers that tell all input first and its parts at the end (Kimi, Qwen) are not counted twice."""
    route = take("messages")
    route.behave(
        start_usage={"input_tokens": 1000, "cache_read_input_tokens": None, "cache_creation_input_tokens": None},
        usage={"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 7},
    )
    http.post("/v1/messages", json=route.body(stream=True))
    assert 1000 == route.count("pinion_tokens_total", kind="input")
    assert 7 == route.count("pinion_tokens_total", kind="output")
    assert pytest.approx((100 * 1 + 900 * 0.1 + 7 * 10) / 1e6) == route.count("pinion_cost_usd_total")


def test_a_count_of_tokens_costs_nothing(take, anthropic_sdk):
    """count_tokens goes to the release's model, and neither tokens nor cost nor an unknown cost are counted for it."""
    route = take("messages")
    counted = anthropic_sdk.messages.count_tokens(model=route.name, messages=route.body()["messages"])
    assert 5 == counted.input_tokens
    assert route.model() == route.only().json()["model"]
    metrics = ("pinion_tokens_total", "pinion_cost_usd_total", "pinion_cost_unknown_total")
    assert [0, 0, 0] == [route.count(metric) for metric in metrics]


def test_a_cancelled_stream_keeps_what_it_told(take, http, world):
    """The tokens that a stream told before its client left are counted, and its record is marked partial."""
    route = take("messages")
    route.behave(usage={"input_tokens": 1000}, start_usage={"input_tokens": 1000, "output_tokens": 1}, hang="middle")
    with http.stream("POST", "/v1/messages", json=route.body(stream=True)) as answer:
        request_id = answer.headers["x-request-id"]
        next(answer.iter_raw())
    route.left()
    assert "cancelled" == route.ending()["outcome"]
    assert 1000 == route.count("pinion_tokens_total", kind="input")
    assert pytest.approx((1000 * 1 + 1 * 10) / 1e6) == route.count("pinion_cost_usd_total")
    assert True is record_of(world, request_id)["partial"]


def test_a_cancelled_stream_that_told_nothing_is_unknown(take, http):
    """A chat stream tells its usage at the end alone: one that is cancelled is an unknown cost, not a free one."""
    route = take("chat")
    route.behave(hang="middle")
    with http.stream("POST", "/v1/chat/completions", json=route.body(stream=True)) as answer:
        next(answer.iter_raw())
    route.left()
    assert "cancelled" == route.ending()["outcome"]
    assert 1 == route.count("pinion_cost_unknown_total")
    assert 0 == route.count("pinion_cost_usd_total")


def test_usage_is_that_of_the_release_that_answered(take, http):
    """After a failover the tokens belong to the fallback, and both attempts are counted."""
    route = take("backed")
    route.behave(error_rate=1)
    route.behave(OTHER, usage=USED)
    http.post("/v1/chat/completions", json=route.body())
    assert 1 == route.count("pinion_requests_total", release=STABLE, track="stable", outcome="failed")
    assert 1 == route.count("pinion_requests_total", release=OTHER, track="fallback", outcome="ok")
    assert pytest.approx(COST) == route.count("pinion_cost_usd_total", release=OTHER)
    assert 0 == route.count("pinion_cost_usd_total", release=STABLE)


def test_an_application_has_its_own_counts(take, http):
    """Requests, tokens and cost are counted for the application too."""
    route = take("chat")
    route.behave(usage=USED)
    http.post("/v1/chat/completions", json=route.body())
    metrics = ("pinion_app_requests_total", "pinion_app_tokens_total", "pinion_app_cost_usd_total")
    assert pytest.approx([1, 1100, COST]) == [route.count(metric, app="desk") for metric in metrics]


def record_of(world, request_id):
    """The ledger's record of a request, once it is written."""

    def asked():
        answer = world.operations.get(f"/admin/v1/explain?request={request_id}")
        return answer.json() if answer.status_code == 200 else None

    return wait_until(asked)
