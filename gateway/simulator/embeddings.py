"""The OpenAI wire's embeddings, as floats and as base64."""

import base64
import random
from array import array
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.simulator.endpoint import Endpoint, whole_number
from gateway.simulator.openai import OPENAI
from gateway.simulator.turn import Refusal, Turn, Wish, digest

DIMENSIONS = 256


def read(body: Mapping[str, Any]) -> Wish:
    """Read an embeddings request."""
    if "input" not in body:
        raise Refusal("input is missing", param="input")
    whole_number(body, ("dimensions",), least=1)
    if body.get("encoding_format", "float") not in ("float", "base64"):
        raise Refusal("encoding_format must be float or base64", param="encoding_format")
    return Wish(prompt=(body["input"],), choices=0)


def whole(turn: Turn) -> dict[str, Any]:
    """The embeddings: one unit vector an input, the same for the same input and model."""
    given = turn.request["input"]
    tokens = isinstance(given, list) and all(isinstance(one, int) for one in given)
    inputs = given if isinstance(given, list) and not tokens else [given]
    size = whole_number(turn.request, ("dimensions",)) or DIMENSIONS
    as_base64 = turn.request.get("encoding_format") == "base64"
    vectors = (_vector(turn.model, one, size) for one in inputs)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.tobytes()).decode() if as_base64 else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    counted = turn.usage({"prompt_tokens": turn.prompt_tokens, "total_tokens": turn.prompt_tokens})
    return {"object": "list", "data": data, "model": turn.model, "usage": counted}


def _vector(model: str, given: Any, size: int) -> "array[float]":
    """A unit vector of little-endian 32-bit floats."""
    chance = random.Random(digest(model.encode(), orjson.dumps(given)))
    values = [chance.gauss() for _ in range(size)]
    norm = sum(value * value for value in values) ** 0.5
    return array("f", (value / norm for value in values))


EMBEDDINGS = Endpoint(OPENAI, read, whole)
