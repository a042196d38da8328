"""What every edge does between a client's socket and an exchange, whatever it is built on.

A subclass gives the `edge` fixture: an `EdgeServer` around a `Stage`.
"""

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
import uvicorn

from gateway.core.errors import ClientFault
from gateway.core.head import Head

PATIENCE = 10.0
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
        self.begin(status, (b"content-length", b"%d" % len(body)))
        self.downstream.write(body)
        self.downstream.finish()

    def begin(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        """The head of an answer; without a length, its body is chunked."""
        self.downstream.start(status, [(b"content-type", b"text/plain"), *headers])


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


async def others(scope: Any, receive: Any, send: Any) -> None:
    """The application for every other path: says which one came."""
    del receive
    body = scope.get("raw_path", b"")
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Connection:
    """A client's connection, on which answers are read one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        """Send pieces, as far as the other side takes them."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.sock.sendall(piece)

    def head(self, method: str = "POST") -> http.client.HTTPResponse:
        """Read the head of the next answer."""
        response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]  # it needs makefile alone
        response.begin()
        return response

    def answer(self, method: str = "POST") -> tuple[int, bytes]:
        """Read the next answer whole."""
        response = self.head(method)
        return response.status, response.read()

    def answers(self) -> list[tuple[int, bytes]]:
        """Read answers until the other side closes."""
        read = []
        with suppress(ConnectionError):
            while True:
                read.append(self.answer())
        return read

    def line(self) -> bytes:
        """Read a line."""
        return self._reader.readline()

    def close(self) -> None:
        """Let go of the socket, which its reader would keep open."""
        self._reader.close()

    def makefile(self, *_: Any) -> Any:
        """What an answer is read from; it stays open for the next."""
        return _Kept(self._reader)


class _Kept:
    """A reader that an answer cannot close."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None: ...


@dataclass
class EdgeServer:
    """uvicorn in a thread, with an edge before a stage."""

    config: Callable[[Any], uvicorn.Config]
    stage: Stage = field(default_factory=Stage)
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    trust: ssl.SSLContext | None = None
    """What its clients trust, where it speaks TLS."""

    def __enter__(self) -> Self:
        self.server = uvicorn.Server(self.config(self.stage))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_for(lambda: self.server.started)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.loop) as runner:
            self._loop = runner.get_loop()
            runner.run(self.server.serve())

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        for connection in tuple(self.server.server_state.connections):
            self.call(connection.transport.abort)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @contextmanager
    def fresh(self) -> Iterator[Self]:
        """The server with a stage on which nothing has happened, for one test, which must leave no exchange open."""
        self.stage.clear()
        yield self
        wait_for(lambda: len(self.stage.opened) == len(self.stage.closed))

    def call(self, act: Callable[..., Any], *args: Any) -> None:
        """Act on the serving loop."""
        self._loop.call_soon_threadsafe(act, *args)

    def settle(self) -> None:
        """Wait until the serving loop has done what it had to do by now."""
        went_round = threading.Event()
        self.call(self._go_round, 20, went_round)
        assert went_round.wait(PATIENCE)

    def _go_round(self, times: int, went_round: threading.Event) -> None:
        if times:
            self._loop.call_soon(self._go_round, times - 1, went_round)
        else:
            went_round.set()

    @contextmanager
    def connection(self, receive_buffer: int | None = None) -> Any:
        """A connection to it; a small `receive_buffer` is full soon."""
        with ExitStack() as stack:
            sock = stack.enter_context(closing(socket.socket()))
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", self.port))
            if self.trust is not None:
                sock = stack.enter_context(self.trust.wrap_socket(sock, server_hostname="127.0.0.1"))
            client = Connection(sock)
            try:
                yield client
            finally:
                client.close()

    def ask(self, *pieces: bytes) -> tuple[int, bytes]:
        """Send pieces on a new connection and read one answer."""
        with self.connection() as client:
            client.send(*pieces)
            return client.answer()

    @property
    def exchange(self) -> Exchange:
        """The first exchange, once it is there."""
        wait_for(lambda: self.stage.opened)
        return self.stage.opened[0]

    def heard(self, event: str) -> Exchange:
        """The first exchange, once it has heard of an event."""
        wait_for(lambda: event in self.exchange.events)
        return self.exchange


def wait_for(reached: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "the condition was not reached"
        time.sleep(0.005)


def request(
    body: bytes = b"{}", *headers: str, method: str = "POST", path: str = GOVERNED, length: int | None = None
) -> bytes:
    """A whole request, or with another `length` one that is not."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gw.test", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


CHUNKED = f"POST {GOVERNED} HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


class EdgeContract:
    """The contract. A subclass has the fixture `edge`."""

    def test_a_body_arrives_whole(self, edge):
        """However it was cut on its way."""
        sent = request(b"0123456789" * 100)

        assert (200, b"0123456789" * 100) == edge.ask(*(sent[n : n + 97] for n in range(0, len(sent), 97)))
        assert ["body"] == edge.exchange.events
        wait_for(lambda: edge.stage.closed == [edge.exchange])

    def test_a_chunked_body_arrives_whole(self, edge):
        """Its chunks put together, its trailers left out."""
        assert (200, b"onetwo") == edge.ask(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\nx-trailer: 1\r\n\r\n")

    def test_an_empty_body_is_a_body(self, edge):
        """The exchange decides what to make of it."""
        assert (200, b"") == edge.ask(request(b""))
        assert b"" == edge.exchange.whole

    def test_the_head_is_passed_as_it_came(self, edge):
        """Method, raw path, query and headers, their names in lower case and their values untouched."""
        edge.ask(request(b"{}", "X-Pinion-Unit: Zo\u00eb", path=f"{GOVERNED}?a=%20b"))
        head = edge.exchange.head

        assert ("POST", GOVERNED, b"a=%20b") == (head.method, head.path, head.query)
        assert (b"x-pinion-unit", "Zo\u00eb".encode()) in head.headers

    @pytest.mark.parametrize(
        "path", ["/", f"{GOVERNED}/", "/v1/chat%2Fcompletions", "/v1/Chat/completions", f"/{GOVERNED}", f"{GOVERNED};x"]
    )
    def test_another_path_goes_to_the_others(self, edge, path):
        """Nothing is decoded, folded or trimmed to make a governed path of it."""
        assert (404, path.encode()) == edge.ask(request(path=path))
        assert [] == edge.stage.opened

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_every_method_on_a_governed_path_is_the_exchanges(self, edge, method):
        """It refuses by the head alone; HEAD gets no body."""
        edge.stage.refusal = ClientFault("not this method")
        with edge.connection() as client:
            client.send(request(b"", method=method))
            assert (400, b"" if method == "HEAD" else b"not this method") == client.answer(method)
        assert method == edge.exchange.head.method

    def test_a_refused_head_needs_no_body(self, edge):
        """The answer comes before the body does, and the exchange is not shown it."""
        edge.stage.refusal = ClientFault("who are you")
        assert (400, b"who are you") == edge.ask(request(b"", length=500))
        assert ["refused"] == edge.exchange.events

    def test_a_body_over_the_limit_is_refused_while_it_is_sent(self, edge):
        """Whatever length it declares, or none."""
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

        status, message = edge.ask(CHUNKED, *[chunk] * 20)
        assert (413, b"the request body is over 1000000 bytes; send a smaller one") == (status, message)
        assert ["refused"] == edge.exchange.events

    def test_a_body_of_just_the_limit_is_taken(self, edge):
        """The limit is the largest that is allowed."""
        assert MAX_BODY == len(edge.ask(request(b"x" * MAX_BODY))[1])

    def test_a_client_that_leaves_amid_its_body_is_gone(self, edge):
        """Nothing of the body is shown to the exchange, which is closed."""
        with edge.connection() as client:
            client.send(request(b"half", length=100))
            wait_for(lambda: edge.stage.opened)
        edge.heard("gone")
        assert edge.exchange.whole is None
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_before_the_answer_is_gone(self, edge):
        """The exchange hears of it at once, so that it can cancel its call."""
        edge.stage.script = nothing
        with edge.connection() as client:
            client.send(request())
            edge.heard("body")
        assert ["body", "gone"] == edge.heard("gone").events
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_amid_its_answer_is_gone(self, edge):
        """As soon as the connection is."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"begun"))
        with edge.connection() as client:
            client.send(request())
            assert b"begun" == client.head().read1()
        edge.heard("gone")
        wait_for(lambda: edge.stage.closed)

    def test_pieces_of_an_answer_are_sent_as_they_are_written(self, edge):
        """None waits for the next, and the end is a proper one."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert b"one" == answer.read1()
            edge.call(edge.exchange.downstream.write, b"two")
            assert b"two" == answer.read1()
            edge.call(edge.exchange.downstream.finish)
            assert b"" == answer.read()

    def test_a_cut_answer_has_no_end(self, edge):
        """What was written before arrives; nobody can take it for the whole."""
        edge.stage.script = lambda exchange: (
            exchange.begin(),
            exchange.downstream.write(b"begun"),
            exchange.downstream.abort(),
        )
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert b"begun" == answer.read1()
            with pytest.raises(http.client.IncompleteRead):
                answer.read()

    def test_a_large_answer_arrives_whole(self, edge):
        """Written at once, and many times what the buffers hold."""
        body = bytes(range(256)) * 40_000
        edge.stage.script = lambda exchange: exchange.answer(200, body)

        assert (200, body) == edge.ask(request())

    def test_a_slow_reader_holds_the_exchange_up(self, edge):
        """It is told to pause when a little piles up, and to resume once that is read; every byte arrives in order."""
        pieces = [b"%07d " % n for n in range(1 << 19)]  # 4 MiB
        sent = []

        def pump() -> None:
            """Write for as long as the exchange is not paused."""
            events = edge.exchange.events
            while len(sent) < len(pieces) and events.count("pause") == events.count("resume"):
                piece = b"".join(pieces[len(sent) : len(sent) + 512])
                sent.extend(pieces[len(sent) : len(sent) + 512])
                edge.exchange.downstream.write(piece)
            if len(sent) == len(pieces):
                edge.exchange.downstream.finish()
            else:
                edge._loop.call_later(0.001, pump)

        edge.stage.script = lambda exchange: (exchange.begin(), edge._loop.call_soon(pump))
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
            assert len(sent) < len(pieces)
            assert b"".join(pieces) == client.head().read()
        assert "resume" in edge.exchange.events

    def test_a_client_that_does_not_read_is_let_go_by_a_cut(self, edge):
        """The exchange is closed though the client takes nothing more."""
        edge.stage.script = flood
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
            edge.call(edge.exchange.downstream.abort)
            wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_without_reading_is_gone(self, edge):
        """What is queued for it goes with it."""
        edge.stage.script = flood
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
        edge.heard("gone")
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_asks_first_is_told_to_go_on(self, edge):
        """With Expect: 100-continue the body comes after the leave."""
        with edge.connection() as client:
            client.send(request(b"", "Expect: 100-continue", length=2))
            assert (b"HTTP/1.1 100 Continue\r\n", b"\r\n") == (client.line(), client.line())
            client.send(b"{}")
            assert (200, b"{}") == client.answer()

    def test_a_client_that_asks_first_may_be_refused(self, edge):
        """Then it need not send the body at all."""
        edge.stage.refusal = ClientFault("too much")
        with edge.connection() as client:
            client.send(request(b"", "Expect: 100-continue", length=2))
            assert b"HTTP/1.1 400 Bad Request\r\n" == client.line()

    def test_a_connection_is_used_again(self, edge):
        """One request after the other, each with an exchange of its own."""
        with edge.connection() as client:
            for body in (b"one", b"two"):
                client.send(request(body))
                assert (200, body) == client.answer()
        assert [["body"], ["body"]] == [exchange.events for exchange in edge.stage.opened]

    def test_requests_sent_at_once_are_answered_in_order(self, edge):
        """Pipelined, none is lost and none overtakes another."""
        with edge.connection() as client:
            client.send(b"".join(request(b"%d" % n) for n in range(5)))
            assert [(200, b"%d" % n) for n in range(5)] == [client.answer() for _ in range(5)]

    def test_requests_of_both_kinds_sent_at_once_are_answered_in_order(self, edge):
        """Governed or not, each is answered in its turn."""
        with edge.connection() as client:
            client.send(b"".join(request(b"%d" % n, path=GOVERNED if n % 3 else f"/{n}") for n in range(12)))
            expected = [(200, b"%d" % n) if n % 3 else (404, b"/%d" % n) for n in range(12)]
            assert expected == [client.answer() for _ in range(12)]

    def test_a_request_behind_a_stream_waits(self, edge):
        """It is not begun before the stream has ended, and is answered then."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client:
            client.send(request() + request(b"two"))
            answer = client.head()
            assert b"one" == answer.read1()
            edge.settle()
            assert 1 == len(edge.stage.opened)
            edge.stage.script = echo
            edge.call(edge.exchange.downstream.finish)
            assert b"" == answer.read()
            assert (200, b"two") == client.answer()

    def test_a_client_that_asks_to_close_is_hung_up_on(self, edge):
        """After its answer, which says so."""
        with edge.connection() as client:
            client.send(request(b"{}", "Connection: close"))
            answer = client.head()
            assert ("close", b"{}") == (answer.getheader("connection"), answer.read())
            assert [] == client.answers()

    @pytest.mark.parametrize("fields", [[], [(b"content-length", b"3")]])
    def test_an_old_client_gets_its_answer_and_the_end_of_the_connection(self, edge, fields):
        """HTTP/1.0, whether the answer states its length or not."""
        edge.stage.script = lambda exchange: (
            exchange.begin(200, *fields),
            exchange.downstream.write(b"one"),
            exchange.downstream.finish(),
        )
        with edge.connection() as client:
            client.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert [(200, b"one")] == client.answers()
        assert b"{}" == edge.exchange.whole

    def test_a_server_that_stops_lets_an_answer_end(self, edge):
        """Then it hangs up, and at once where nothing is under way."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client, edge.connection() as idle:
            idle.send(request(path="/other"))
            assert 404 == idle.answer()[0]
            client.send(request())
            answer = client.head()
            assert b"one" == answer.read1()
            for connection in tuple(edge.server.server_state.connections):
                edge.call(connection.shutdown)
            assert [] == idle.answers()
            edge.call(edge.exchange.downstream.write, b"two")
            edge.call(edge.exchange.downstream.finish)
            assert b"two" == answer.read()
            assert [] == client.answers()

    def test_a_refused_head_with_a_whole_body_keeps_the_connection(self, edge):
        """The body is passed over, and the next request is taken."""
        edge.stage.refusal = ClientFault("who are you")
        with edge.connection() as client:
            for _ in range(2):
                client.send(request(b"body"))
                assert (400, b"who are you") == client.answer()
        assert [["refused"], ["refused"]] == [exchange.events for exchange in edge.stage.opened]

    def test_the_rest_of_a_refused_request_is_never_a_request(self, edge):
        """However much it looks like one."""
        edge.stage.refusal = ClientFault("who are you")
        marked = request(b"!", "X-Marker: 1")
        with edge.connection() as client:
            client.send(request(b"", length=len(marked)))
            assert 400 == client.answer()[0]
            client.send(marked, request(b"{}", "Connection: close"))
            client.answers()
        assert not [exchange for exchange in edge.stage.opened if (b"x-marker", b"1") in exchange.head.headers]

    def test_a_client_may_send_a_body_over_the_limit_to_its_end_before_it_reads(self, edge):
        """The refusal is there when it does."""
        with edge.connection() as client:
            client.send(request(b"x" * (2 * MAX_BODY)))
            assert (413, b"the request body is over 1000000 bytes; send a smaller one") == client.answer()
        assert ["refused"] == edge.exchange.events

    def test_an_answer_to_head_has_its_length_and_no_body(self, edge):
        """What is written of a body is not sent, and the connection is kept."""
        with edge.connection() as client:
            client.send(request(b"{}", method="HEAD") + request(b"next"))
            answer = client.head("HEAD")
            assert ("2", b"") == (answer.getheader("content-length"), answer.read())
            assert (200, b"next") == client.answer()

    @pytest.mark.parametrize("status", [204, 304])
    def test_an_answer_without_content_has_no_framing(self, edge, status):
        """Its head is all of it, and the connection is kept."""
        edge.stage.script = lambda exchange: (exchange.begin(status), exchange.downstream.finish())
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert (status, None, b"") == (answer.status, answer.getheader("transfer-encoding"), answer.read())
            edge.stage.script = echo
            client.send(request(b"next"))
            assert (200, b"next") == client.answer()

    @pytest.mark.parametrize(
        ("target", "query"),
        [
            (f"http://other{GOVERNED}", b""),
            (f"https://other:1{GOVERNED}?a=b", b"a=b"),
            (f"{GOVERNED}#fragment", b""),
            (f"{GOVERNED}?a=b#fragment", b"a=b"),
            (f"{GOVERNED}?a=?b", b"a=?b"),
        ],
    )
    def test_a_target_may_be_longer_than_its_path(self, edge, target, query):
        """An absolute one, and one with a fragment, which no client should send."""
        assert (200, b"{}") == edge.ask(request(path=target))
        assert (GOVERNED, query) == (edge.exchange.head.path, edge.exchange.head.query)

    @pytest.mark.parametrize("target", ["*", "http://other/x"])
    def test_a_target_without_a_governed_path_goes_to_the_others(self, edge, target):
        """Whatever its form."""
        assert 404 == edge.ask(request(path=target, method="OPTIONS"))[0]
        assert [] == edge.stage.opened

    def test_an_exchange_that_fails_ends_its_request_alone(self, edge):
        """The client is not left waiting, and the server goes on."""
        edge.stage.script = lambda exchange: exchange.no_such_thing()
        assert 500 == edge.ask(request())[0]
        edge.stage.script = echo
        assert (200, b"{}") == edge.ask(request())
        wait_for(lambda: len(edge.stage.closed) == 2)
