"""The OpenAI wire's Responses endpoint: its objects, and its events with their sequence numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.simulator.behaviour import StreamError
from gateway.simulator.endpoint import Endpoint, items, schema_of, whole_number
from gateway.simulator.events import Event
from gateway.simulator.openai import OPENAI, service_tier
from gateway.simulator.turn import Call, Choice, Refusal, Tool, Turn, Wish, required_calls


def read(body: Mapping[str, Any]) -> Wish:
    """Read a request; any `previous_response_id` that is a text is accepted."""
    if not isinstance(body.get("input"), str | list):
        raise Refusal("input must be a text or a list of items", param="input")
    previous = body.get("previous_response_id")
    if previous is not None and not isinstance(previous, str):
        raise Refusal("previous_response_id must be a text", param="previous_response_id")
    return Wish(
        prompt=(body["input"], body.get("instructions"), body.get("tools")),
        limit=whole_number(body, ("max_output_tokens",), least=1),
        calls=_calls(body),
    )


def _calls(body: Mapping[str, Any]) -> tuple[Tool, ...]:
    choice = body.get("tool_choice")
    tools = [
        Tool(str(one.get("name")), schema_of(one.get("parameters")))
        for one in items(body, "tools")
        if one.get("type") == "function"
    ]
    if choice == "required":
        return required_calls(tools, None, every=body.get("parallel_tool_calls") is True)
    if isinstance(choice, dict) and choice.get("type") == "function":
        return required_calls(tools, str(choice.get("name")))
    return ()


def usage(turn: Turn) -> dict[str, Any]:
    """The usage; the total follows what the behaviour sets."""
    counted = turn.usage(
        {
            "input_tokens": turn.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": turn.answer_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": None,
        }
    )
    if counted["total_tokens"] is None:
        counted["total_tokens"] = (counted["input_tokens"] or 0) + (counted["output_tokens"] or 0)
    return counted


def _response(turn: Turn, status: str, output: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A response object; the request's own parameters are told back."""
    asked = turn.request
    return {
        "id": f"resp_{turn.id}",
        "object": "response",
        "created_at": turn.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "metadata": asked.get("metadata") or {},
        "model": turn.model,
        "output": output,
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "service_tier": service_tier(turn),
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools") or [],
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        **changes,
    }


def whole(turn: Turn) -> dict[str, Any]:
    """A response that is over: completed, or incomplete when the request's limit ended it."""
    (choice,) = turn.choices
    output = _output(turn, choice)
    if choice.truncated:
        reason = {"reason": "max_output_tokens"}
        return _response(turn, "incomplete", output, usage=usage(turn), incomplete_details=reason)
    return _response(turn, "completed", output, usage=usage(turn), completed_at=turn.created)


def _output(turn: Turn, choice: Choice) -> list[dict[str, Any]]:
    if choice.calls:
        return [_call_item(turn, place, call) for place, call in enumerate(choice.calls)]
    return [_message_item(turn, "incomplete" if choice.truncated else "completed", [_part(choice.text)])]


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _message_item(turn: Turn, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{turn.id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _call_item(
    turn: Turn, place: int, call: Call, status: str = "completed", arguments: str | None = None
) -> dict[str, Any]:
    return {
        "id": f"fc_{turn.id[:22]}{place:02x}",
        "type": "function_call",
        "status": status,
        "call_id": f"call_{turn.id[:22]}{place:02x}",
        "name": call.name,
        "arguments": call.arguments if arguments is None else arguments,
    }


def events(turn: Turn) -> Iterator[Event]:
    """A response as events, each with its number in the stream."""
    for number, (kind, content, token) in enumerate(_told(turn)):
        ending = kind in ("response.completed", "response.incomplete")
        data = {"type": kind, "sequence_number": number, **content}
        yield Event(data, name=kind, token=token, terminal=ending)


def _told(turn: Turn) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each event's type and content, and whether it carries a token."""
    (choice,) = turn.choices
    opening = {"response": _response(turn, "in_progress", [])}
    yield "response.created", opening, False
    yield "response.in_progress", opening, False
    if choice.calls:
        for place, call in enumerate(choice.calls):
            yield from _told_call(turn, place, call)
    else:
        yield from _told_text(turn, choice)
    final = whole(turn)
    yield f"response.{final['status']}", {"response": final}, False


def _told_text(turn: Turn, choice: Choice) -> Iterator[tuple[str, dict[str, Any], bool]]:
    (item,) = _output(turn, choice)
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    started = _message_item(turn, "in_progress", [])
    yield "response.output_item.added", {"output_index": 0, "item": started}, False
    yield "response.content_part.added", {**place, "part": _part("")}, False
    for token in choice.tokens:
        yield "response.output_text.delta", {**place, "delta": token, "logprobs": []}, True
    yield "response.output_text.done", {**place, "text": choice.text, "logprobs": []}, False
    yield "response.content_part.done", {**place, "part": _part(choice.text)}, False
    yield "response.output_item.done", {"output_index": 0, "item": item}, False


def _told_call(turn: Turn, index: int, call: Call) -> Iterator[tuple[str, dict[str, Any], bool]]:
    item = _call_item(turn, index, call)
    place = {"item_id": item["id"], "output_index": index}
    started = _call_item(turn, index, call, "in_progress", "")
    yield "response.output_item.added", {"output_index": index, "item": started}, False
    for piece in call.pieces:
        yield "response.function_call_arguments.delta", {**place, "delta": piece}, True
    finished = {**place, "name": call.name, "arguments": call.arguments}
    yield "response.function_call_arguments.done", finished, False
    yield "response.output_item.done", {"output_index": index, "item": item}, False


def failure(turn: Turn, fault: StreamError, place: int) -> Event:
    """An error inside a stream: the response, failed."""
    response = _response(turn, "failed", [], error={"code": fault.type, "message": fault.message})
    data = {"type": "response.failed", "sequence_number": place, "response": response}
    return Event(data, name="response.failed")


RESPONSES = Endpoint(replace(OPENAI, failure=failure), read, whole, events)
