"""What the upstreams answer, and how an answer is known to be theirs."""

import json

MODEL = "atlas-large-2026-03-15"

CONTENT = "The pinion is the small gear that meshes with a larger one and turns it. " * 4

EVENTS = 66
"""Events of a stream: 64 pieces, the usage, the end."""

EVENT_SECONDS = 0.005
"""Between two events of a stream."""

PIECE = "pinion and gear " * 2

USAGE = {"prompt_tokens": 300, "completion_tokens": 64, "total_tokens": 364}


def completion() -> str:
    """Give a chat completion of about 0.7 KB with its usage, on one line and without a single quote or dollar."""
    return json.dumps(
        {
            "id": "chatcmpl-benchmark00000000000000",
            "object": "chat.completion",
            "created": 1790000000,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": CONTENT, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_benchmark",
        }
    )


def events() -> list[bytes]:
    """Give the server-sent events of one stream, each about 250 bytes but for the last."""
    pieces = [{"index": 0, "delta": {"content": PIECE}, "finish_reason": None}] * (EVENTS - 2)
    told = [_event([piece], None) for piece in pieces]
    return [*told, _event([], USAGE), b"data: [DONE]\n\n"]


def is_whole(body: bytes) -> bool:
    """Say whether a body is the completion, however a gateway has rewritten what is around its text."""
    try:
        choices = json.loads(body)["choices"]
        return bool(choices[0]["message"]["content"] == CONTENT)
    except (ValueError, LookupError, TypeError):
        return False


def is_whole_stream(body: bytes) -> bool:
    """Say whether a body is the whole stream: every piece, and its end."""
    text = ""
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:]).get("choices") or []
            text += "".join(choice.get("delta", {}).get("content") or "" for choice in choices)
    return text == PIECE * (EVENTS - 2) and b"data: [DONE]" in body


def _event(choices: list[dict[str, object]], usage: dict[str, int] | None) -> bytes:
    chunk = {
        "id": "chatcmpl-benchmark00000000000000",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": MODEL,
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
