"""OpenAI's Responses: events that each have a name, a type of that name in the data, and a sequence number.

The stream ends with `response.completed`, `.incomplete` or `.failed`, each with the whole response and its
usage (https://platform.openai.com/docs/api-reference/responses-streaming).
"""

import re
from typing import Any

from gateway.core.usage import Usage
from gateway.wire import sse
from gateway.wire.dialect import Scan
from gateway.wire.json_body import dump
from gateway.wire.openai_chat import take_identity
from gateway.wire.shape import decoded, error_kind, mapping, mappings, text

_DELTA = re.compile(rb"event: response\.[\w.]+\.delta\r?\n")

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_EMPTY_AT_FIRST = frozenset({"message", "reasoning"})
"""Output items that are announced as empty shells; every other kind of item says something by being there."""


class ResponsesScanner:
    """Looks at one stream of Responses events. After the first content, deltas are not read."""

    __slots__ = ("_last", "_line_end", "_response", "scan")

    def __init__(self) -> None:
        self.scan = Scan()
        self._response: dict[str, Any] = {}
        self._last = b""
        self._line_end: bytes | None = None

    def event(self, raw: bytes) -> bytes | None:
        """Look at one event; all are relayed."""
        self._last = raw
        if not (self.scan.content and _DELTA.match(raw)):
            self._read(raw)
        return raw

    def failure(self, message: str, code: str = "server_error") -> bytes:
        """A `response.failed` with the response as far as it is known; some clients heed no other error."""
        failed = {
            "type": "response.failed",
            "sequence_number": self._next_number(),
            "response": {
                "id": self.scan.response_id or "",
                "object": "response",
                "model": self.scan.served_model or "",
                "output": [],
                **self._response,
                "status": "failed",
                "error": {"code": code, "message": message},
            },
        }
        return sse.written(dump(failed), name="response.failed", line_end=self._line_end or b"\n")

    def _next_number(self) -> int:
        last = mapping(decoded(sse.fields(self._last).data or b"")).get("sequence_number")
        return last + 1 if isinstance(last, int) else 0

    def _read(self, raw: bytes) -> None:
        self._line_end = self._line_end or sse.line_end(raw)
        event = sse.fields(raw)
        said = mapping(decoded(event.data or b""))
        kind = text(said.get("type")) or event.name or ""
        if kind == "error" or said.get("error"):
            self.scan.error = error_kind(said.get("error") or said | {"type": None})
        if response := mapping(said.get("response")):
            self._response = response
            _take_response(self.scan, response)
        self.scan.content = self.scan.content or _is_content(kind, said)
        if kind in _TERMINAL:
            self.scan.finished = self.scan.terminal = True


def scan_response(response: dict[str, Any]) -> Scan:
    """What a whole answer of Responses says."""
    scan = Scan(finished=True, content=bool(response.get("output")))
    _take_response(scan, response)
    return scan


def _take_response(scan: Scan, response: dict[str, Any]) -> None:
    """Take what a response object says about itself."""
    take_identity(scan, response)
    if response.get("status") == "failed" and not scan.error:
        scan.error = error_kind(response.get("error")) if response.get("error") else "failed"
    if counts := mapping(response.get("usage")):
        scan.usage = _usage(counts, response)


def _usage(counts: dict[str, Any], response: dict[str, Any]) -> Usage | None:
    """The usage that a `usage` object tells; its details are parts of its two counts."""
    read = mapping(counts.get("input_tokens_details"))
    return Usage.checked(
        input_tokens=counts.get("input_tokens"),
        output_tokens=counts.get("output_tokens"),
        cached_input_tokens=read.get("cached_tokens"),
        cache_write_tokens=read.get("cache_write_tokens"),
        cache_write_1h_tokens=mapping(read.get("cache_write_tokens_details")).get("ttl_12h_tokens"),
        reasoning_tokens=mapping(counts.get("output_tokens_details")).get("reasoning_tokens"),
        web_searches=sum(item.get("type") == "web_search_call" for item in mappings(response.get("output"))),
        service_tier=text(response.get("service_tier")),
    )


def _is_content(kind: str, said: dict[str, Any]) -> bool:
    """Whether an event brings some of the answer: a piece, an item that is no empty shell, or all of it."""
    if kind == "response.output_item.added":
        return mapping(said.get("item")).get("type") not in _EMPTY_AT_FIRST
    if kind in _TERMINAL:
        return bool(mapping(said.get("response")).get("output"))
    return kind.endswith((".delta", ".partial_image")) or kind == "response.output_item.done"
