"""The Anthropic dialect: Messages and count_tokens.

A stream's events each have a name, and the same type in the data; `message_stop` ends it
(https://docs.anthropic.com/en/docs/build-with-claude/streaming). Usage comes in `message_start`, and then
in `message_delta`, whose counts are running totals: each that is not null takes the place of the one
before. Input counts exclude the cache, whose reads and writes are counted apart.
"""

from types import MappingProxyType
from typing import Any

from gateway.core.usage import Usage
from gateway.wire import sse
from gateway.wire.dialect import MALFORMED, Scan, StreamScanner
from gateway.wire.json_body import dump
from gateway.wire.shape import decoded, error_kind, mapping, mappings, text

_PLAIN = b"event: content_block_delta"

_ERROR_TYPES = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        408: "timeout_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)


class MessagesScanner:
    """Looks at one stream of Messages events. After the first content, deltas of content are not read."""

    __slots__ = ("_counts", "_line_end", "scan")

    def __init__(self) -> None:
        self.scan = Scan()
        self._counts: dict[str, Any] = {}
        self._line_end: bytes | None = None

    def event(self, raw: bytes) -> bytes | None:
        """Look at one event; all are relayed."""
        if not (self.scan.content and raw.startswith(_PLAIN)):
            self._read(raw)
        return raw

    def failure(self, message: str, code: str = "api_error") -> bytes:
        """An `error` event, which SDKs raise."""
        body = dump({"type": "error", "error": _error("api_error", code, message)})
        return sse.written(body, name="error", line_end=self._line_end or b"\n")

    def _read(self, raw: bytes) -> None:
        self._line_end = self._line_end or sse.line_end(raw)
        event = sse.fields(raw)
        said = mapping(decoded(event.data or b""))
        match text(said.get("type")) or event.name:
            case "message_start":
                message = mapping(said.get("message"))
                _take_identity(self.scan, message)
                self._take_usage(message)
            case "message_delta":
                self._take_usage(said)
            case "content_block_start":
                self.scan.content = self.scan.content or _is_content(mapping(said.get("content_block")))
            case "content_block_delta":
                self.scan.content = True
            case "message_stop":
                self.scan.finished = self.scan.terminal = True
            case "error":
                self.scan.error = error_kind(said.get("error"))

    def _take_usage(self, said: dict[str, Any]) -> None:
        counts = mapping(said.get("usage"))
        self._counts.update({name: count for name, count in counts.items() if count is not None})
        self.scan.usage = _usage(self._counts)


class Anthropic:
    """Anthropic's protocol, and that of the servers that speak it."""

    __slots__ = ()

    name = "anthropic"

    def stream_scanner(self, endpoint: str, *, hide_usage: bool) -> StreamScanner:
        """A scanner for one stream of Messages, where usage is never asked for and so never hidden."""
        del endpoint, hide_usage
        return MessagesScanner()

    def scan_answer(self, endpoint: str, body: bytes) -> Scan:
        """What a whole answer of status 200 says. A count of tokens uses none."""
        answer = decoded(body)
        if not isinstance(answer, dict):
            return Scan(error=MALFORMED)
        scan = Scan(finished=True)
        if error := answer.get("error"):
            scan.error = error_kind(error)
        if endpoint == "count_tokens":
            scan.content = "input_tokens" in answer
            return scan
        _take_identity(scan, answer)
        scan.content = any(map(_is_content, mappings(answer.get("content"))))
        scan.usage = _usage(mapping(answer.get("usage")))
        return scan

    def error_body(self, *, status: int, code: str, message: str, request_id: str) -> bytes:
        """An error as Anthropic's SDKs read it, its type by the status."""
        kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return dump({"type": "error", "error": _error(kind, code, message), "request_id": request_id})


def _error(kind: str, code: str, message: str) -> dict[str, Any]:
    """The inside of an error; a code that says more than the type goes into the details."""
    details = {} if code == kind else {"details": {"error_code": code}}
    return {"type": kind, "message": message, **details}


def _take_identity(scan: Scan, message: dict[str, Any]) -> None:
    scan.served_model = text(message.get("model"))
    scan.response_id = text(message.get("id"))


def _is_content(block: dict[str, Any]) -> bool:
    """Whether a block says something by being there; a text does only once it has characters."""
    return bool(block.get("text")) if block.get("type") == "text" else "type" in block


def _usage(counts: dict[str, Any]) -> Usage | None:
    """The usage of merged counts: thinking is inside the output, `cache_creation` splits writes by life."""
    return Usage.checked(
        input_tokens=_all_input(counts),
        output_tokens=counts.get("output_tokens"),
        cached_input_tokens=counts.get("cache_read_input_tokens"),
        cache_write_tokens=counts.get("cache_creation_input_tokens"),
        cache_write_1h_tokens=mapping(counts.get("cache_creation")).get("ephemeral_1h_input_tokens"),
        reasoning_tokens=mapping(counts.get("output_tokens_details")).get("thinking_tokens"),
        web_searches=mapping(counts.get("server_tool_use")).get("web_search_requests"),
        service_tier=counts.get("service_tier"),
        speed=counts.get("speed"),
    )


def _all_input(counts: dict[str, Any]) -> int | None:
    """Fresh input, cache reads and cache writes together; None where one of them is no count."""
    cached = (counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens"))
    parts = [counts.get("input_tokens"), *(count for count in cached if count is not None)]
    return sum(parts) if all(type(part) is int for part in parts) else None
