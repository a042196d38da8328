"""The text of an answer, whole or streamed, at every endpoint."""

import json

import pytest

from gateway.wire.answer_text import MAX_BYTES, MAX_STREAM, MAX_TEXT, has_text, stream_text, whole_text
from gateway.wire.endpoint import ENDPOINTS
from tests.proxy.playbook import DONE, ROLE, USAGE, chunk, completion, delta, named

TOOL = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}


def of_body(endpoint, answer):
    """The text of a whole answer."""
    return whole_text(endpoint, json.dumps(answer).encode())


def text_choice(text, index=0):
    """A choice of completions."""
    return {"index": index, "text": text}


def message(text, **more):
    """An item of Responses' output."""
    return {"type": "message", "content": [{"type": "output_text", "text": text}], **more}


def ended(*output, kind="response.completed"):
    """The last event of a stream of Responses."""
    return named(kind, response={"id": "resp-1", "output": list(output)})


def piece(text):
    """A piece of text in a stream of Responses."""
    return named("response.output_text.delta", delta=text)


def block(**said):
    """The beginning of a block in a stream of Messages."""
    return named("content_block_start", index=0, content_block=said)


def in_block(kind, **said):
    """A piece of a block in a stream of Messages."""
    return named("content_block_delta", index=0, delta={"type": kind, **said})


@pytest.mark.parametrize(
    ("endpoint", "answer", "text"),
    [
        ("chat", {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}, "a"),
        ("chat", {"choices": [{"message": {"content": None, "refusal": "no"}}]}, ""),
        ("chat", {"choices": [{"message": {"content": None, **TOOL}}]}, None),
        ("chat", {"choices": [{"message": {"content": "\n", **TOOL}}]}, None),
        ("chat", {"choices": [{"message": {"content": None, "function_call": {"name": "f"}}}]}, None),
        ("chat", {"choices": [{"message": {"content": "a", **TOOL}}]}, "a"),
        ("chat", {"choices": [{"message": {"content": [7], "reasoning_content": "b"}}]}, ""),
        ("chat", {"choices": [7, {"message": 7}]}, ""),
        ("completions", {"choices": [{"text": "a"}, {"text": "b"}]}, "a"),
        ("responses", {"output": [{"type": "reasoning"}, message("a"), {"content": 7}, message("b")]}, "ab"),
        ("responses", {"output": [{"content": [{"type": "output_text", "text": "a"}]}]}, "a"),
        ("responses", {"output": [{"content": [{"type": "reasoning_text", "text": "b"}]}, message("a")]}, "a"),
        ("responses", {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]}, ""),
        ("responses", {"output": [{"type": "function_call"}]}, None),
        ("responses", {"output": [{"type": "mcp_approval_request"}]}, None),
        ("responses", {"output": [{"type": "web_search_call"}, message("a")]}, "a"),
        ("messages", {"content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"text": "b"}]}, "ab"),
        ("messages", {"content": [{"type": "thinking", "thinking": "b"}, {"type": "text", "text": "a"}]}, "a"),
        ("messages", {"content": [{"type": "thinking", "thinking": "b"}, {"type": "tool_use"}]}, None),
        ("messages", {"content": [{"type": 7, "text": "a"}, 7]}, ""),
        ("messages", {"content": 7}, ""),
        ("embeddings", {"data": [{"embedding": [1.0]}]}, None),
        ("count_tokens", {"input_tokens": 5}, None),
    ],
    ids=json.dumps,
)
def test_the_text_is_found_in_a_whole_answer(endpoint, answer, text):
    """Of the first choice, in every dialect; tool calls alone have none, and what is not as expected is empty."""
    assert text == of_body(endpoint, answer)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"[" * 100_000])
def test_what_is_no_answer_has_an_empty_text(body):
    """Which is not the same as none: text was due."""
    assert whole_text("chat", body) == ""


@pytest.mark.parametrize(
    ("endpoint", "events", "text"),
    [
        ("chat", [ROLE, delta("hé"), b": ping\n\n", delta("\u2028!"), delta(finish="stop"), USAGE, DONE], "hé\u2028!"),
        ("chat", [chunk(choices=[{"index": 1, "delta": {"content": "b"}}]), delta("a")], "a"),
        ("chat", [chunk(choices=[{"delta": {"content": "a"}}]), chunk(choices=[{"message": {"content": "b"}}])], "ab"),
        ("chat", [ROLE, chunk(choices=[{"index": 0, "delta": TOOL}]), delta(finish="tool_calls"), DONE], None),
        ("chat", [delta("a"), chunk(choices=[{"index": 0, "delta": TOOL}]), DONE], "a"),
        ("chat", [delta(finish="stop"), DONE], ""),
        ("chat", [delta("a"), b"data: {broken\n\n", b"data: 7\n\n", b"data\n\n"], "a"),
        ("chat", [delta("a")[:-2]], "a"),
        ("chat", [b'data: {"choices":[{"delta":\ndata: {"content":"a"}}]}\n\n'], "a"),
        ("chat", [], ""),
        (
            "completions",
            [chunk(choices=[text_choice("a"), text_choice("x", 1)]), chunk(choices=[text_choice("b")])],
            "ab",
        ),
        ("responses", [piece("x"), ended(message("a"), message("b"))], "ab"),
        ("responses", [piece("a"), ended(message("ab"), kind="response.incomplete")], "ab"),
        ("responses", [piece("a"), piece("b"), ended()], "ab"),
        ("responses", [piece("a"), piece("b")], "ab"),
        ("responses", [b'event: response.output_text.delta\ndata: {"delta":"a"}\n\n'], "a"),
        (
            "responses",
            [named("response.function_call_arguments.delta", delta="{}"), ended({"type": "function_call"})],
            None,
        ),
        ("responses", [named("response.output_item.added", item={"type": "custom_tool_call"}), ended()], None),
        ("messages", [named("message_start", message={"content": []}), block(type="text", text="a")], "a"),
        ("messages", [block(type="text", text=""), in_block("text_delta", text="a"), named("message_stop")], "a"),
        ("messages", [in_block("thinking_delta", thinking="b"), in_block("text_delta", text="a")], "a"),
        ("messages", [block(type="tool_use", name="f"), in_block("input_json_delta", partial_json="{}")], None),
        ("messages", [named("message_delta", delta={"stop_reason": "end_turn"}), named("message_stop")], ""),
        ("embeddings", [b"data: {}\n\n"], None),
    ],
)
def test_the_text_is_put_together_from_a_stream(endpoint, events, text):
    """Piece by piece; Responses tell it whole at their end, as a rule."""
    assert text == stream_text(endpoint, b"".join(events))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_may_end_its_lines_in_any_way(line_end):
    """As its events were relayed."""
    stream = b"".join([ROLE, delta("a"), delta("b"), DONE]).replace(b"\n", line_end)
    assert "ab" == stream_text("chat", stream)


def test_half_a_surrogate_pair_is_text():
    """Providers cut there; what is sent of it is read as it stands."""
    assert '"\ud83d' == whole_text("chat", completion('"\ud83d'))
    assert "\ud83d\ude00" == stream_text("chat", delta("\ud83d") + delta("\ude00"))


def test_a_text_over_the_limit_is_not_given():
    """The longest is, and one character more is not known."""
    assert MAX_TEXT == len(whole_text("chat", completion("a" * MAX_TEXT)))
    assert whole_text("chat", completion("a" * (MAX_TEXT + 1))) is None


@pytest.mark.parametrize(
    ("read", "answer", "most"), [(whole_text, completion("a"), MAX_BYTES), (stream_text, delta("a"), MAX_STREAM)]
)
def test_an_answer_over_the_limit_is_not_read(read, answer, most):
    """However little of it is text; a stream costs more to read, and may be a quarter as long."""
    assert "a" == read("chat", answer.ljust(most))
    assert read("chat", answer.ljust(most + 1)) is None


def test_which_endpoints_have_text():
    """All that people read."""
    assert ["chat", "completions", "responses", "messages"] == [e.name for e in ENDPOINTS if has_text(e.name)]
