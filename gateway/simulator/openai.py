"""The OpenAI wire: what its endpoints have in common, and its models."""

from collections.abc import Mapping
from typing import Any

from gateway.simulator.behaviour import StreamError
from gateway.simulator.endpoint import Dialect, known
from gateway.simulator.events import Event
from gateway.simulator.turn import Refusal, Turn

ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_exceeded",
}
MODELS_CREATED = 1_760_000_000
DONE = Event("[DONE]", terminal=True)


def headers(name: str) -> tuple[tuple[str, str], ...]:
    """The headers that every answer has."""
    return (("x-request-id", f"req_{name}"), ("openai-version", "2020-10-01"), ("openai-processing-ms", "1"))


def error(status: int, message: str, param: str | None, name: str) -> dict[str, Any]:  # noqa: ARG001 - one shape for all dialects
    """The error envelope."""
    kind = known(status, ERROR_TYPES, "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


def failure(turn: Turn, fault: StreamError, place: int) -> Event:  # noqa: ARG001 - one shape for all dialects
    """An error inside a stream: a data event with the error envelope."""
    return Event({"error": {"message": fault.message, "type": fault.type, "param": None, "code": None}})


def model_list(names: tuple[str, ...]) -> dict[str, Any]:
    """The list of models."""
    return {"object": "list", "data": [model(name) for name in names]}


def model(name: str) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "simulator"}


OPENAI = Dialect(headers, error, failure, model, model_list)


def usage(turn: Turn) -> dict[str, Any]:
    """The usage of chat and text completions; the total follows what the behaviour sets."""
    counted = turn.usage(
        {
            "prompt_tokens": turn.prompt_tokens,
            "completion_tokens": turn.answer_tokens,
            "total_tokens": None,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
    )
    if counted["total_tokens"] is None:
        counted["total_tokens"] = (counted["prompt_tokens"] or 0) + (counted["completion_tokens"] or 0)
    return counted


def shows_usage(body: Mapping[str, Any]) -> bool:
    """Whether a stream must end with its usage.

    Raises:
        Refusal: `stream_options` is no object, or stands in a request that is no stream.
    """
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise Refusal("stream_options must be an object", param="stream_options")
    if not body.get("stream"):
        raise Refusal("stream_options may only be set when stream is true", param="stream_options")
    return bool(options.get("include_usage"))


def service_tier(turn: Turn) -> str:
    """The tier that served: the one asked for where it is one of its own, else the default."""
    asked = turn.request.get("service_tier")
    return asked if asked in ("flex", "priority", "scale") else "default"
