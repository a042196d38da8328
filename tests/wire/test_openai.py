"""The OpenAI dialect as a whole: whole answers, errors, and which scanner reads what."""

import json

import pytest

from gateway.core.usage import Usage
from gateway.wire.dialect import MALFORMED, Dialect, Scan
from gateway.wire.openai import OpenAI
from gateway.wire.openai_chat import ChatScanner
from gateway.wire.openai_responses import ResponsesScanner

OPENAI: Dialect = OpenAI()


def scan(endpoint, answer):
    """What a whole answer says."""
    return OPENAI.scan_answer(endpoint, json.dumps(answer).encode())


def chat_answer(**changes):
    """A whole chat answer with some of its members changed."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_1",
        "service_tier": "default",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    } | changes


def test_which_scanner_reads_which_endpoint():
    """Responses has events of its own; chat and completions share theirs."""
    assert "openai" == OPENAI.name
    assert isinstance(OPENAI.stream_scanner("responses", hide_usage=True), ResponsesScanner)
    assert isinstance(OPENAI.stream_scanner("chat", hide_usage=False), ChatScanner)
    assert isinstance(OPENAI.stream_scanner("completions", hide_usage=True), ChatScanner)


def test_a_whole_chat_answer():
    """Who answered, what it used, that it says something and is whole."""
    expected = Scan(Usage(10, 5, service_tier="default"), "gpt-4o-2024-08-06", "fp_1", "chatcmpl-1", True, None, True)
    assert expected == scan("chat", chat_answer())


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "x"}, True),
        ({"content": None, "tool_calls": [{"id": "a"}]}, True),
        ({"content": None, "refusal": "No."}, True),
        ({"content": None, "function_call": {"name": "f"}}, True),
        ({"content": "", "reasoning_content": "hm"}, True),
        ({"content": None, "audio": {"id": "a"}}, True),
        ({"role": "assistant", "content": ""}, False),
        ({}, False),
    ],
)
def test_what_is_content_of_a_whole_answer(message, content):
    """Every kind of answer counts, an empty one does not."""
    assert content == scan("chat", chat_answer(choices=[{"index": 0, "message": message}])).content


def test_all_details_of_chat_usage():
    """Cached and written input, reasoning and audio are parts of the two counts; the tier is the one that served."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 2, "rejected_prediction_tokens": 1},
    }
    expected = Usage(100, 50, 60, 20, 0, 30, 3, 2, 0, "priority")
    assert expected == scan("chat", chat_answer(usage=usage, service_tier="priority")).usage


@pytest.mark.parametrize(("total", "output"), [(35, 25), (15, None), (None, None)], ids=["beside", "inside", "unknown"])
def test_reasoning_that_is_counted_beside_the_completion(total, output):
    """A total that adds reasoning on top says so; otherwise more reasoning than output cannot be."""
    details = {"reasoning_tokens": 20}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": total, "completion_tokens_details": details}
    found = scan("chat", chat_answer(usage=usage)).usage
    assert output == (found and found.output_tokens)


@pytest.mark.parametrize(
    "usage", [None, {}, [], {"prompt_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": 1}, {"total_tokens": 3}]
)
def test_usage_that_does_not_say_enough_is_unknown(usage):
    """A missing or broken usage is never taken for zero."""
    assert scan("chat", chat_answer(usage=usage)).usage is None


def test_a_whole_completions_answer():
    """The text of a choice is its content."""
    assert scan("completions", chat_answer(choices=[{"index": 0, "text": "Hi"}])).content
    assert not scan("completions", chat_answer(choices=[{"index": 0, "text": ""}])).content


def test_embeddings_use_input_alone():
    """Their usage has no completion tokens; base64 vectors and numbers pass unread."""
    data = [{"object": "embedding", "index": 0, "embedding": "AAAAAA=="}, {"embedding": [0.1, 2]}]
    answer = {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    assert Scan(Usage(8, 0), "e", None, None, True, None, True) == scan("embeddings", answer)
    assert scan("embeddings", {"data": [], "model": "e"}).usage is None


def test_a_whole_responses_answer():
    """The response is read as at the end of its stream; each search that it ran is counted."""
    answer = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "error": None,
        "model": "m-1",
        "service_tier": "flex",
        "output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}],
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {
                "cached_tokens": 10,
                "cache_write_tokens": 40,
                "cache_write_tokens_details": {"ttl_30m_tokens": 30, "ttl_12h_tokens": 10},
            },
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 5},
        },
    }
    usage = Usage(100, 7, 10, 40, 10, 5, web_searches=2, service_tier="flex")
    assert Scan(usage, "m-1", None, "resp_1", True, None, True) == scan("responses", answer)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "Oh"}}, "server_error"),
        ({"status": "failed", "error": None}, "failed"),
        ({"status": "incomplete", "error": None}, None),
    ],
)
def test_a_failed_response_is_an_error(answer, error):
    """A status of 200 does not make a failed response an answer."""
    assert error == scan("responses", answer).error


@pytest.mark.parametrize("endpoint", ["chat", "completions", "embeddings", "responses"])
def test_an_error_with_status_200_is_found(endpoint):
    """Some servers answer 200 and put the error inside."""
    assert "x" == scan(endpoint, {"error": {"type": "x", "message": "y"}}).error


@pytest.mark.parametrize("endpoint", ["chat", "completions", "embeddings", "responses"])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":', b"[1]", b"null", b'"text"', b"\xff"])
def test_an_answer_that_is_no_json_object_is_malformed(endpoint, body):
    """What is not an answer is an error and never an exception."""
    assert Scan(error=MALFORMED) == OPENAI.scan_answer(endpoint, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "invalid_request_error"), (429, "rate_limit_error"), (503, "server_error")],
)
def test_error_body(status, kind):
    """OpenAI's envelope, with the request id beside it."""
    body = OPENAI.error_body(status=status, code="some_code", message='No "x"', request_id="r-1")
    error = {"message": 'No "x"', "type": kind, "param": None, "code": "some_code"}
    assert {"error": error, "request_id": "r-1"} == json.loads(body)
