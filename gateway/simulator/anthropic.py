"""The Anthropic wire: messages, token counts and models."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.simulator.behaviour import StreamError
from gateway.simulator.endpoint import Dialect, Endpoint, items, known, schema_of, whole_number
from gateway.simulator.events import Event
from gateway.simulator.turn import Choice, Refusal, Tool, Turn, Wish, required_calls

ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def headers(name: str) -> tuple[tuple[str, str], ...]:
    """The headers that every answer has."""
    return (
        ("request-id", f"req_01{name[:22]}"),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
    )


def error(status: int, message: str, param: str | None, name: str) -> dict[str, Any]:
    """The error envelope; the parameter at fault, if any, opens the message."""
    kind = known(status, ERROR_TYPES, "api_error")
    told = f"{param}: {message}" if param else message
    return {"type": "error", "error": {"type": kind, "message": told}, "request_id": f"req_01{name[:22]}"}


def failure(turn: Turn, fault: StreamError, place: int) -> Event:  # noqa: ARG001 - one shape for all dialects
    """An error inside a stream: the event `error`."""
    told = {"type": fault.type, "message": fault.message}
    return Event(
        {"type": "error", "error": told, "request_id": f"req_01{turn.id[:22]}"},
        name="error",
    )


def model_list(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models, all on one page."""
    return {
        "data": [model(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def model(name: str) -> dict[str, Any]:
    """One model."""
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-15T00:00:00Z",
        "lifecycle": "active",
    }


ANTHROPIC = Dialect(headers, error, failure, model, model_list)


def read_messages(body: Mapping[str, Any]) -> Wish:
    """Read a messages request; `max_tokens: 0`, which only warms a cache, is legal."""
    limit = whole_number(body, ("max_tokens",))
    if limit is None:
        raise Refusal("Field required", param="max_tokens")
    counted = read_count(body)
    return Wish(prompt=counted.prompt, limit=limit, calls=_calls(body))


def read_count(body: Mapping[str, Any]) -> Wish:
    """Read a request to count tokens."""
    messages = items(body, "messages")
    if not messages:
        raise Refusal("at least one message is required", param="messages")
    return Wish(prompt=(messages, body.get("system"), body.get("tools")), choices=0)


def _calls(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    choice = body.get("tool_choice")
    tools = [Tool(str(one.get("name")), schema_of(one.get("input_schema"))) for one in items(body, "tools")]
    if not isinstance(choice, dict):
        return ()
    if choice.get("type") == "any":
        return required_calls(tools, None, every=choice.get("disable_parallel_tool_use") is False)
    if choice.get("type") == "tool":
        return required_calls(tools, str(choice.get("name")))
    return ()


def usage(turn: Turn) -> dict[str, Any]:
    """The usage at the end of an answer; the input does not include what a cache gave."""
    return turn.usage(
        {
            "input_tokens": turn.prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": turn.answer_tokens,
            "service_tier": "standard",
        }
    )


def whole_message(turn: Turn) -> dict[str, Any]:
    """A message."""
    (choice,) = turn.choices
    return _message(turn, _blocks(turn, choice), _stop_reason(choice), usage(turn))


def _message(
    turn: Turn, content: list[dict[str, Any]], stop_reason: str | None, counted: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"msg_01{turn.id[:22]}",
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": counted,
    }


def _blocks(turn: Turn, choice: Choice) -> list[dict[str, Any]]:
    if choice.calls:
        return [
            _tool_use(turn, index, call.name, orjson.loads(call.arguments)) for index, call in enumerate(choice.calls)
        ]
    return [{"type": "text", "text": choice.text}]


def _tool_use(turn: Turn, index: int, name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_01{turn.id[:20]}{index:02x}", "name": name, "input": given}


def _stop_reason(choice: Choice) -> str:
    if choice.calls:
        return "tool_use"
    return "max_tokens" if choice.truncated else "end_turn"


def message_events(turn: Turn) -> Iterator[Event]:
    """A message as events: its start, its blocks piece by piece, then how it stopped and the usage."""
    (choice,) = turn.choices
    final = usage(turn)
    opening = turn.usage({**final, "output_tokens": min(1, turn.answer_tokens)}, turn.behaviour.start_usage)
    yield _event("message_start", message=_message(turn, [], None, opening))
    started, kind, key = _block_starts(turn, choice)
    told = [call.pieces for call in choice.calls] or [choice.tokens]
    for index, pieces in enumerate(told):
        yield _event("content_block_start", index=index, content_block=started[index])
        if index == 0:
            yield _event("ping")
        for piece in pieces:
            yield _event("content_block_delta", token=True, index=index, delta={"type": kind, key: piece})
        yield _event("content_block_stop", index=index)
    yield _event(
        "message_delta",
        delta={"stop_reason": _stop_reason(choice), "stop_sequence": None},
        usage={} if turn.behaviour.omit_usage else _delta_usage(final),
    )
    yield _event("message_stop", terminal=True)


def _block_starts(turn: Turn, choice: Choice) -> tuple[list[dict[str, Any]], str, str]:
    """The empty blocks that the stream fills, with the type of their deltas and the key of its text."""
    if choice.calls:
        blocks = [_tool_use(turn, index, call.name, {}) for index, call in enumerate(choice.calls)]
        return blocks, "input_json_delta", "partial_json"
    return [{"type": "text", "text": ""}], "text_delta", "text"


def _delta_usage(final: Mapping[str, Any]) -> dict[str, Any]:
    """What the last usage of a stream tells: the counts, but neither the cache's split nor the tier."""
    return {name: value for name, value in final.items() if name not in ("cache_creation", "service_tier")}


def _event(kind: str, *, token: bool = False, terminal: bool = False, **content: Any) -> Event:
    return Event({"type": kind, **content}, name=kind, token=token, terminal=terminal)


def whole_count(turn: Turn) -> dict[str, Any]:
    """The count of a request's input tokens."""
    return {"input_tokens": turn.usage({"input_tokens": turn.prompt_tokens})["input_tokens"]}


MESSAGES = Endpoint(ANTHROPIC, read_messages, whole_message, message_events)
COUNT = Endpoint(ANTHROPIC, read_count, whole_count)
