"""OpenAI's answers made of choices: chat, completions and, without choices, embeddings.

A stream is `data:` events, each a chunk with `choices`, and ends with `data: [DONE]`. With `include_usage`,
a chunk with no choices brings the usage just before the end, and every other chunk says `"usage":null`
(https://platform.openai.com/docs/api-reference/chat-streaming).
"""

import re
from typing import Any

from gateway.core.usage import Usage
from gateway.wire import sse
from gateway.wire.dialect import Scan
from gateway.wire.json_body import dump, members
from gateway.wire.shape import decoded, error_kind, mapping, mappings, text

_TELLING = re.compile(rb'"(?:usage|error|finish_reason|index)"(?!\s*:\s*(?:null|0))')
"""Marks a chunk that can tell something new: it counts, fails, finishes, or is not of the first choice."""

_CHUNK_ENDS = (b"}\n\n", b"}\r\n\r\n")

_NULL_USAGE = b',"usage":null'
_NULL_USAGE_OTHERWISE = re.compile(rb',\s*"usage"\s*:\s*null|(?<=\{)\s*"usage"\s*:\s*null\s*,')

_CONTENT = (
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "audio",
)
_MORE_THAN_USAGE = ("prompt_filter_results", "moderation", "error")


class ChatScanner:
    """Looks at one stream of chat or completions chunks.

    Once the first content was seen, an event is read only if a search of its bytes says that it can matter:
    most events of a stream bring one more piece of text and nothing else.
    """

    __slots__ = ("_done", "_hide_usage", "_line_end", "_tier", "scan")

    def __init__(self, *, hide_usage: bool) -> None:
        """`hide_usage`: take out what an application that did not ask for usage must not see."""
        self.scan = Scan()
        self._hide_usage = hide_usage
        self._done: dict[int, bool] = {}  # by choice index: whether its finish reason was seen
        self._tier: str | None = None
        self._line_end: bytes | None = None

    def event(self, raw: bytes) -> bytes | None:
        """Look at one event; None only for the chunk that brings hidden usage and nothing else."""
        plain = self.scan.content and raw.endswith(_CHUNK_ENDS) and not _TELLING.search(raw)
        if not plain and self._read(raw):
            return None
        return _without_null_usage(raw) if self._hide_usage else raw

    def failure(self, message: str, code: str = "server_error") -> bytes:
        """A chunk with an error, which SDKs raise; a `[DONE]` after it would look like success."""
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        return sse.written(dump({"error": error}), line_end=self._line_end or b"\n")

    def _read(self, raw: bytes) -> bool:
        """Take in one event; true if it is to be dropped."""
        self._line_end = self._line_end or sse.line_end(raw)
        data = sse.fields(raw).data
        if data is None:
            return False
        if data.startswith(b"[DONE]"):
            self.scan.finished = self.scan.terminal = True
            return False
        chunk = mapping(decoded(data))
        take_identity(self.scan, chunk)
        self._take_choices(mappings(chunk.get("choices")))
        return self._take_usage(chunk) and self._hide_usage and _is_usage_alone(chunk)

    def _take_choices(self, choices: list[dict[str, Any]]) -> None:
        for choice in choices:
            number = choice.get("index")
            index = number if isinstance(number, int) else 0
            self._done[index] = self._done.get(index, False) or text(choice.get("finish_reason")) is not None
            self.scan.content = self.scan.content or _has_content(choice)
        if choices:
            self.scan.finished = all(self._done.values())

    def _take_usage(self, chunk: dict[str, Any]) -> bool:
        """Take the chunk's usage, if it has one; Groq's is in a corner of its own."""
        self._tier = text(chunk.get("service_tier")) or self._tier
        counts = mapping(chunk.get("usage")) or mapping(mapping(chunk.get("x_groq")).get("usage"))
        if counts:
            self.scan.usage = _usage(counts, self._tier)
        return bool(counts)


def scan_choices(answer: dict[str, Any]) -> Scan:
    """What a whole answer of chat or completions says."""
    scan = Scan(finished=True, content=any(map(_has_content, mappings(answer.get("choices")))))
    take_identity(scan, answer)
    if counts := mapping(answer.get("usage")):
        scan.usage = _usage(counts, text(answer.get("service_tier")))
    return scan


def scan_embeddings(body: bytes) -> Scan:
    """What a whole answer of embeddings says. Its vectors, which can be megabytes, are skipped and not read.

    Raises:
        Malformed: the answer is not a JSON object.
    """
    spans = {key: slice(start, end) for key, _, start, end in members(body)}
    answer = {key: decoded(body[span]) for key, span in spans.items() if key != "data"}
    scan = Scan(finished=True, content="data" in spans)
    take_identity(scan, answer)
    counts = mapping(answer.get("usage"))
    scan.usage = Usage.checked(input_tokens=counts.get("prompt_tokens"), output_tokens=0)
    return scan


def take_identity(scan: Scan, said: dict[str, Any]) -> None:
    """Take from a chunk or an answer who answered, and the error if it has one."""
    scan.served_model = scan.served_model or text(said.get("model"))
    scan.fingerprint = scan.fingerprint or text(said.get("system_fingerprint"))
    scan.response_id = scan.response_id or text(said.get("id"))
    if error := said.get("error"):
        scan.error = error_kind(error)


def _has_content(choice: dict[str, Any]) -> bool:
    """Whether a choice, of a chunk or of a whole answer, holds something of the answer."""
    said = choice.get("delta") or choice.get("message")
    if isinstance(said, dict):
        if said.get("content"):
            return True
        for kind in _CONTENT:
            if said.get(kind):
                return True
    return bool(choice.get("text"))


def _usage(counts: dict[str, Any], service_tier: str | None) -> Usage | None:
    """The usage that a `usage` object tells; its details are parts of its two counts."""
    prompt = counts.get("prompt_tokens_details")
    completion = counts.get("completion_tokens_details")
    if prompt is None and completion is None:
        return Usage.plain(counts.get("prompt_tokens"), counts.get("completion_tokens"), service_tier)
    prompt, completion = mapping(prompt), mapping(completion)
    return Usage.checked(
        input_tokens=counts.get("prompt_tokens"),
        output_tokens=_output_tokens(counts, completion.get("reasoning_tokens")),
        cached_input_tokens=prompt.get("cached_tokens"),
        cache_write_tokens=prompt.get("cache_write_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
        audio_input_tokens=prompt.get("audio_tokens"),
        audio_output_tokens=completion.get("audio_tokens"),
        service_tier=service_tier,
    )


def _output_tokens(counts: dict[str, Any], reasoning: Any) -> Any:
    """All output. Some compatible servers count reasoning beside the completion; then their total says so."""
    completion = counts.get("completion_tokens")
    if not reasoning:
        return completion
    prompt, total = counts.get("prompt_tokens"), counts.get("total_tokens")
    known = [count for count in (prompt, completion, reasoning) if isinstance(count, int)]
    is_beside = len(known) == 3 and sum(known) == total
    return sum(known[1:]) if is_beside else completion


def _is_usage_alone(chunk: dict[str, Any]) -> bool:
    return not chunk.get("choices") and not any(chunk.get(name) for name in _MORE_THAN_USAGE)


def _without_null_usage(raw: bytes) -> bytes:
    """The event without the null usage that Pinion's own wish for usage caused."""
    at = raw.find(_NULL_USAGE)
    if at >= 0:
        return raw[:at] + raw[at + len(_NULL_USAGE) :]
    return _NULL_USAGE_OTHERWISE.sub(b"", raw) if b'"usage"' in raw else raw
