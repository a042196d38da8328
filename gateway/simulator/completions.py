"""The OpenAI wire's text completions: whole, and as chunks."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.simulator.chat import finish_reason
from gateway.simulator.endpoint import Endpoint, whole_number
from gateway.simulator.events import Event
from gateway.simulator.openai import DONE, OPENAI, shows_usage, usage
from gateway.simulator.turn import Refusal, Turn, Wish


def read(body: Mapping[str, Any]) -> Wish:
    """Read a text completion request."""
    if "prompt" not in body:
        raise Refusal("prompt is missing", param="prompt")
    shows_usage(body)
    return Wish(
        prompt=(body["prompt"],),
        choices=whole_number(body, ("n",), least=1) or 1,
        limit=whole_number(body, ("max_tokens",)),
    )


def _text(turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"cmpl-{turn.id}",
        "object": "text_completion",
        "created": turn.created,
        "model": turn.model,
        "system_fingerprint": turn.fingerprint,
        "choices": choices,
    }


def _piece(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def whole(turn: Turn) -> dict[str, Any]:
    """A text completion."""
    choices = [_piece(index, choice.text, finish_reason(choice)) for index, choice in enumerate(turn.choices)]
    return {**_text(turn, choices), "usage": usage(turn)}


def events(turn: Turn) -> Iterator[Event]:
    """A text completion as chunks."""
    asked = shows_usage(turn.request) and not turn.behaviour.omit_usage
    tail = {"usage": None} if asked else {}
    for tokens in zip(*(choice.tokens for choice in turn.choices), strict=True):
        for index, token in enumerate(tokens):
            yield Event({**_text(turn, [_piece(index, token)]), **tail}, token=True)
    for index, choice in enumerate(turn.choices):
        yield Event({**_text(turn, [_piece(index, "", finish_reason(choice))]), **tail})
    if asked:
        yield Event({**_text(turn, []), "usage": usage(turn)})
    yield DONE


COMPLETIONS = Endpoint(OPENAI, read, whole, events)
