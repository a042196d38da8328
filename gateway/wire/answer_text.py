"""The text of an answer, as a person would read it: out of a whole body, or out of the events of a stream.

Of several choices it is the first. Reasoning, refusals and the arguments of tool calls are not text.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.wire import sse
from gateway.wire.shape import decoded, mapping, mappings, text

MAX_BYTES = 1 << 20
"""The largest whole answer that is read for its text, in bytes as it passed."""

MAX_STREAM = 256 << 10
"""The largest streamed answer that is read for its text, in bytes as it passed: some 10 ms to read."""

MAX_TEXT = 256 << 10
"""The longest text that is given, in characters."""

_TEXT_BLOCKS = (None, "text", "output_text")
_TOOL_CALLS = ("tool_calls", "function_call")
_CALL_KINDS = ("_call", "tool_use", "approval_request")
"""How the kinds of blocks and items end that are a call, of whatever tool."""

_RESPONSE_ENDS = ("response.completed", "response.incomplete")


class _Found:
    """What has been found of an answer: pieces of its text, and whether it calls tools."""

    __slots__ = ("calls_tools", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.calls_tools = False

    def take(self, piece: Any) -> None:
        """Take a piece, if it is text."""
        if isinstance(piece, str):
            self.pieces.append(piece)

    def take_blocks(self, blocks: Any) -> None:
        """Take the blocks of a message: those of Messages tell tool calls among them."""
        for block in mappings(blocks):
            kind = block.get("type")
            if kind in _TEXT_BLOCKS:
                self.take(block.get("text"))
            else:
                self.take_kind(kind)

    def take_kind(self, kind: Any) -> None:
        """Take note of a block or an item that is a call."""
        if isinstance(kind, str) and kind.endswith(_CALL_KINDS):
            self.calls_tools = True

    @property
    def text(self) -> str | None:
        """All of the text. A turn that only calls tools has none, and one that says nothing has an empty one."""
        whole = "".join(self.pieces)
        if self.calls_tools and not whole.strip():
            return None
        return whole if len(whole) <= MAX_TEXT else None


def whole_text(endpoint: str, body: bytes) -> str | None:
    """Give the text of a whole answer of an endpoint; empty where the body is no answer.

    None where there is no text to speak of: the endpoint answers without, the answer only calls tools, or it is over
    `MAX_BYTES` or `MAX_TEXT`.
    """
    read = _WHOLE.get(endpoint)
    if read is None or len(body) > MAX_BYTES:
        return None
    found = _Found()
    read(found, mapping(decoded(body)))
    return found.text


def stream_text(endpoint: str, stream: bytes) -> str | None:
    """Give the text of a streamed answer of an endpoint, as `whole_text` does; `stream` is all of its events.

    It is of at most `MAX_STREAM`.
    """
    read = _STREAMED.get(endpoint)
    if read is None or len(stream) > MAX_STREAM:
        return None
    splitter = sse.EventSplitter(MAX_STREAM)
    events = splitter.feed(stream)
    if rest := splitter.rest():
        events.append(rest)
    found = _Found()
    read(found, events)
    return found.text


def has_text(endpoint: str) -> bool:
    """Say whether an endpoint's answers are text."""
    return endpoint in _WHOLE


def _said(event: bytes) -> tuple[str | None, dict[str, Any]]:
    """Read an event: what kind it is, and what it says."""
    fields = sse.fields(event)
    said = mapping(decoded(fields.data or b""))
    return text(said.get("type")) or fields.name, said


# Chat and completions


def _read_choices(found: _Found, answer: dict[str, Any]) -> None:
    for choice in mappings(answer.get("choices"))[:1]:
        _take_choice(found, choice)


def _read_chunks(found: _Found, events: list[bytes]) -> None:
    for event in events:
        _, said = _said(event)
        for choice in mappings(said.get("choices")):
            if choice.get("index") in (0, None):
                _take_choice(found, choice)


def _take_choice(found: _Found, choice: dict[str, Any]) -> None:
    """Take a choice of chat (a message, or what is new of one) or of completions (bare text)."""
    message = mapping(choice.get("delta") or choice.get("message"))
    found.take(message.get("content"))
    found.take(choice.get("text"))
    if any(message.get(name) for name in _TOOL_CALLS):
        found.calls_tools = True


# Responses


def _read_response(found: _Found, response: dict[str, Any]) -> None:
    for item in mappings(response.get("output")):
        found.take_kind(item.get("type"))
        found.take_blocks(item.get("content"))


def _read_response_events(found: _Found, events: list[bytes]) -> None:
    """Read the last event, which has it all; where a server leaves the output out there, every piece before it."""
    for event in reversed(events):
        kind, said = _said(event)
        response = mapping(said.get("response"))
        if kind in _RESPONSE_ENDS and response.get("output"):
            _read_response(found, response)
            return
        if kind in _RESPONSE_ENDS:
            break
    for event in events:
        kind, said = _said(event)
        if kind == "response.output_text.delta":
            found.take(said.get("delta"))
        found.take_kind(mapping(said.get("item")).get("type"))


# Messages


def _read_message(found: _Found, message: dict[str, Any]) -> None:
    found.take_blocks(message.get("content"))


def _read_message_events(found: _Found, events: list[bytes]) -> None:
    for event in events:
        _, said = _said(event)
        if block := mapping(said.get("content_block")):
            found.take_blocks([block])
        delta = mapping(said.get("delta"))
        if delta.get("type") == "text_delta":
            found.take(delta.get("text"))


_WHOLE: Mapping[str, Callable[[_Found, dict[str, Any]], None]] = MappingProxyType(
    {
        "chat": _read_choices,
        "completions": _read_choices,
        "responses": _read_response,
        "messages": _read_message,
    }
)

_STREAMED: Mapping[str, Callable[[_Found, list[bytes]], None]] = MappingProxyType(
    {
        "chat": _read_chunks,
        "completions": _read_chunks,
        "responses": _read_response_events,
        "messages": _read_message_events,
    }
)
