"""What an edge is played before: exchanges that keep what they hear and answer as a script says. No socket."""

from collections.abc import Callable
from typing import Any

from gateway.core.errors import ClientFault
from gateway.core.head import Head

GOVERNED = "/v1/chat/completions"
MAX_BODY = 1_000_000


class Exchange:
    """Port `Exchange`: keeps the events, and answers as the stage's script says."""

    def __init__(self, stage: "Stage", downstream: Any, head: Head) -> None:
        self.stage = stage
        self.downstream = downstream
        self.head = head
        self.whole: bytes | None = None
        self.faults: list[ClientFault] = []
        self.events: list[str] = []
        self.wants_body = True

    def __repr__(self) -> str:
        return f"<Exchange {self.events}>"

    def body(self, raw: bytes) -> None:
        if self.faults:
            return
        self.wants_body = False
        self.whole = raw
        self.events.append("body")
        self.stage.script(self)

    def refuse(self, fault: ClientFault) -> None:
        self.wants_body = False
        self.faults.append(fault)
        self.events.append("refused")
        self.answer(fault.status, fault.message.encode())

    def client_gone(self) -> None:
        self.events.append("gone")

    def pause(self) -> None:
        self.events.append("pause")

    def resume(self) -> None:
        self.events.append("resume")

    def answer(self, status: int, body: bytes) -> None:
        """A whole answer at once."""
        self.begin(status, length=len(body))
        self.downstream.write(body)
        self.downstream.finish()

    def begin(self, status: int = 200, *headers: tuple[bytes, bytes], length: int | None = None) -> None:
        """The head of an answer; without a length, its body is chunked."""
        self.downstream.start(status, [(b"content-type", b"text/plain"), *headers], length)


def echo(exchange: Exchange) -> None:
    """Answer with what was sent."""
    exchange.answer(200, exchange.whole or b"")


def nothing(exchange: Exchange) -> None:
    """Leave the client waiting."""
    del exchange


def flood(exchange: Exchange) -> None:
    """Begin an answer with more than any buffer holds."""
    exchange.begin()
    for _ in range(16):
        exchange.downstream.write(bytes(1 << 20))


class Stage:
    """Port `Exchanges`: a request is played by `script` once its body is whole; `refusal` refuses it by its head."""

    max_body = MAX_BODY

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.script: Callable[[Exchange], None] = echo
        self.refusal: ClientFault | None = None
        self.opened: list[Exchange] = []
        self.closed: list[Exchange] = []

    def governs(self, path: str) -> bool:
        return path == GOVERNED

    def open(self, downstream: Any, head: Head) -> Exchange:
        exchange = Exchange(self, downstream, head)
        self.opened.append(exchange)
        if self.refusal is not None:
            exchange.refuse(self.refusal)
        return exchange

    def close(self, exchange: Exchange) -> None:
        self.closed.append(exchange)
