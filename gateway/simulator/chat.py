"""The OpenAI wire's chat completions: whole, and as chunks."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from gateway.simulator.endpoint import Endpoint, items, schema_of, whole_number
from gateway.simulator.events import Event
from gateway.simulator.openai import DONE, OPENAI, service_tier, shows_usage, usage
from gateway.simulator.turn import Choice, Refusal, Tool, Turn, Wish, required_calls


def read(body: Mapping[str, Any]) -> Wish:
    """Read a chat completion request."""
    messages = items(body, "messages")
    if not messages:
        raise Refusal("messages must be a list with at least one message", param="messages")
    shows_usage(body)
    return Wish(
        prompt=(messages, body.get("tools")),
        choices=whole_number(body, ("n",), least=1) or 1,
        limit=whole_number(body, ("max_completion_tokens", "max_tokens"), least=1),
        calls=_calls(body),
    )


def _calls(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    choice = body.get("tool_choice")
    functions = [one.get("function") for one in items(body, "tools")]
    tools = [
        Tool(str(function.get("name")), schema_of(function.get("parameters")))
        for function in functions
        if isinstance(function, dict)
    ]
    if choice == "required":
        return required_calls(tools, None, every=body.get("parallel_tool_calls") is True)
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        return required_calls(tools, str(choice["function"].get("name")))
    return ()


def whole(turn: Turn) -> dict[str, Any]:
    """A chat completion."""
    choices = [
        {
            "index": index,
            "message": _message(turn, index, choice),
            "logprobs": None,
            "finish_reason": finish_reason(choice),
        }
        for index, choice in enumerate(turn.choices)
    ]
    return {
        "id": f"chatcmpl-{turn.id}",
        "object": "chat.completion",
        "created": turn.created,
        "model": turn.model,
        "choices": choices,
        "usage": usage(turn),
        "service_tier": service_tier(turn),
        "system_fingerprint": turn.fingerprint,
    }


def _message(turn: Turn, index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text if not choice.calls else None,
        "refusal": None,
        "annotations": [],
    }
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(turn, index, place),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(choice.calls)
        ]
    return message


def _call_id(turn: Turn, index: int, place: int) -> str:
    return f"call_{turn.id[:20]}{index:02x}{place:02x}"


def finish_reason(choice: Choice) -> str:
    """Why a choice ended."""
    if choice.calls:
        return "tool_calls"
    return "length" if choice.truncated else "stop"


def events(turn: Turn) -> Iterator[Event]:
    """A chat completion as chunks: roles, tokens with the choices interleaved, ends, usage."""
    asked = shows_usage(turn.request) and not turn.behaviour.omit_usage
    head = {
        "id": f"chatcmpl-{turn.id}",
        "object": "chat.completion.chunk",
        "created": turn.created,
        "model": turn.model,
        "service_tier": service_tier(turn),
        "system_fingerprint": turn.fingerprint,
    }
    tail = {"usage": None} if asked else {}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, *, token: bool = False) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event({**head, "choices": [choice], **tail}, token=token)

    for index, choice in enumerate(turn.choices):
        content = None if choice.calls else ""
        yield chunk(index, {"role": "assistant", "content": content, "refusal": None})
    for deltas in zip_longest(*(_deltas(turn, index, choice) for index, choice in enumerate(turn.choices))):
        for index, delta in enumerate(deltas):
            if delta is not None:
                yield chunk(index, delta, token=True)
    for index, choice in enumerate(turn.choices):
        yield chunk(index, {}, finish_reason(choice))
    if asked:
        yield Event({**head, "choices": [], "usage": usage(turn)})
    yield DONE


def _deltas(turn: Turn, index: int, choice: Choice) -> Iterator[dict[str, Any]]:
    """What the chunks of one choice add; parallel tool calls are interleaved."""
    for token in choice.tokens:
        yield {"content": token}
    for place, call in enumerate(choice.calls):
        opening = {"id": _call_id(turn, index, place), "type": "function"}
        yield _call_delta(place, opening, name=call.name, arguments="")
    for pieces in zip_longest(*(call.pieces for call in choice.calls)):
        for place, piece in enumerate(pieces):
            if piece is not None:
                yield _call_delta(place, {}, arguments=piece)


def _call_delta(place: int, opening: dict[str, Any], **function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": place, **opening, "function": function}]}


CHAT = Endpoint(OPENAI, read, whole, events)
