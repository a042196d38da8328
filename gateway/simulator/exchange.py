"""One request under way: what is known of it, and how its answer is sent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from gateway.simulator.behaviour import Behaviour
from gateway.simulator.connection import Reply
from gateway.simulator.delivery import Header, Pace, deliver_stream, deliver_whole
from gateway.simulator.endpoint import Dialect, Endpoint
from gateway.simulator.events import disturbed
from gateway.simulator.turn import Refusal, Turn

JSON: Header = ("content-type", "application/json")
HTML: Header = ("content-type", "text/html; charset=utf-8")
PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the way back to its client.

    `id` is 24 hexadecimal digits, new for each request; `hold` waits as long as the behaviour hangs at a
    place. What is sent raises Cut where the behaviour cuts it.
    """

    id: str
    reply: Reply
    dialect: Dialect
    document: Mapping[str, Any]
    behaviour: Behaviour
    hold: Callable[[str], Awaitable[None]]

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        return self.document.get("stream") is True

    async def succeed(self, endpoint: Endpoint, turn: Turn) -> None:
        """Send the turn's answer, as a stream or whole."""
        if self.stream and endpoint.events is not None:
            told = disturbed(endpoint.events(turn), self.behaviour, partial(endpoint.dialect.failure, turn))
            await deliver_stream(self.reply, self._headers, told, self.behaviour, self.hold)
            return
        await Pace(self.behaviour).tokens(turn.answer_tokens)
        content = orjson.dumps({**endpoint.whole(turn), **self.behaviour.extra_fields})
        if self.behaviour.malformed == "json":
            content = b"this is not JSON"
        elif self.behaviour.malformed == "truncated_json":
            content = content[: len(content) // 2]
        await self.send(200, [JSON], content)

    async def fail(self) -> None:
        """Send the error that the behaviour sets."""
        behaviour, status, kind = self.behaviour, self.behaviour.error_status, JSON
        content = orjson.dumps(self.dialect.error(status, "The simulated provider fails.", None, self.id))
        if behaviour.html_error:
            status, kind, content = 502, HTML, PROXY_PAGE
        elif behaviour.json_error_on_stream and self.stream:
            status = 200
        elif behaviour.error_body is not None:
            content = behaviour.error_body.encode()
        own = {
            "content-type": kind[1],
            **{name.lower(): value for name, value in behaviour.error_headers.items()},
        }
        if behaviour.retry_after is not None:
            own["retry-after"] = behaviour.retry_after
        await self.send(status, list(own.items()), content)

    async def refuse(self, refusal: Refusal) -> None:
        """Send what the provider answers to a request that it does not accept."""
        document = self.dialect.error(refusal.status, refusal.message, refusal.param, self.id)
        await self.send(refusal.status, [JSON], orjson.dumps(document))

    async def send(self, status: int, headers: list[Header], content: bytes) -> None:
        """Send a whole answer with the headers that all answers have."""
        headers = [*headers, *self._headers]
        await deliver_whole(self.reply, status, headers, content, self.behaviour, self.hold)

    @property
    def _headers(self) -> list[Header]:
        return [*self.dialect.headers(self.id), *self.behaviour.ratelimit_headers.items()]
