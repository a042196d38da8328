"""Strangers at the door: raw sockets against a real uvicorn with the guard."""

import asyncio
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress

import orjson
import pytest
import uvicorn

from gateway.adapters.edge_guard import Limits, guarded

PATIENCE = 10.0
QUICK = Limits(head_seconds=0.3, body_silence_seconds=0.3, body_seconds=0.6, sweep_seconds=0.05, linger_seconds=0.05)
PATIENT = Limits(sweep_seconds=0.05, linger_seconds=0.05)
UNHURRIED = Limits(head_seconds=60, body_silence_seconds=60, body_seconds=60, sweep_seconds=0.05)


class Application:
    """Answers with what it got: the path, the header names, the body's length.

    `/stream` begins an answer and ends it when told, `/hold` reads no body until told; both count as `waiting`.
    `/listen` begins an answer and waits for its client to leave.
    """

    def __init__(self):
        self.requests = []
        self.gone = 0
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.requests.append(scope["path"])
        if scope["path"] == "/hold":
            await self._wait()
        if scope["path"] == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(32 << 20)})
            return
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await self._wait()
            await send({"type": "http.response.body", "body": b"ended"})
            return
        if scope["path"] == "/listen":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        size, message = 0, {"more_body": True}
        while message.get("more_body") or scope["path"] == "/listen":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            size += len(message["body"])
        names = [name.decode() for name, _ in scope["headers"]]
        body = orjson.dumps({"path": scope["path"], "headers": names, "size": size})
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _wait(self):
        self.waiting.set()
        while not self.go_on.is_set():  # noqa: ASYNC110  it is set from another thread
            await asyncio.sleep(0.005)


class Server:
    """uvicorn in a thread, on a port of its own."""

    def __init__(self, limits: Limits):
        self.app = Application()
        self.guard = guarded(limits)
        config = uvicorn.Config(self.app, port=0, http=self.guard, log_config=None, ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self):
        self._thread.start()
        wait_for(lambda: self._server.started)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.app.go_on.set()
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @contextmanager
    def connection(self):
        """A connection to it."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)) as sock:
            yield sock

    def ask(self, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send pieces on a new connection and read one answer."""
        with self.connection() as sock:
            send(sock, *pieces)
            return answer(sock)


def wait_for(reached):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "the condition was not reached"
        time.sleep(0.005)


def send(sock: socket.socket, *pieces: bytes) -> None:
    """Send pieces, as far as the other side takes them."""
    with suppress(ConnectionError):
        for piece in pieces:
            sock.sendall(piece)


def until_closed(sock: socket.socket) -> bytes:
    """Read until the other side closes."""
    parts = []
    with suppress(ConnectionError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer that states its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rows = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}
    while len(body) < int(headers["content-length"]):
        body += sock.recv(65536)
    return int(line.split()[1]), headers, body


@pytest.fixture(scope="module")
def patient():
    """A server whose deadlines are far."""
    with Server(PATIENT) as server:
        yield server


@pytest.fixture
def quick():
    """A server whose deadlines are near."""
    with Server(QUICK) as server:
        yield server


@pytest.fixture
def unhurried():
    """A server of its own for a test that does not wait for deadlines."""
    with Server(UNHURRIED) as server:
        yield server


def post(path: bytes = b"/", *headers: bytes, body: bytes = b"") -> bytes:
    """A request."""
    fields = b"".join(field + b"\r\n" for field in headers)
    return b"POST %b HTTP/1.1\r\nhost: a\r\n%bcontent-length: %d\r\n\r\n%b" % (path, fields, len(body), body)


def test_requests_pass(patient):
    """One after another on a connection, with bodies far over the head's limit, by length and in chunks."""
    with patient.connection() as sock:
        for size in (0, 2, 1_000_000):
            send(sock, post(body=b"x" * size))
            status, _, body = answer(sock)
            assert (200, size) == (status, orjson.loads(body)["size"])
        chunk = b"c350\r\n" + b"x" * 50_000 + b"\r\n"
        send(sock, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", chunk * 10, b"0\r\n\r\n")
        assert 500_000 == orjson.loads(answer(sock)[2])["size"]


def test_pipelined_requests_pass(patient):
    """Many small requests in one piece are each answered, though together they are longer than a head may be."""
    with patient.connection() as sock:
        send(sock, post(b"/many") * 500)
        received = b""
        while received.count(b"/many") < 500:
            received += sock.recv(65536)


def test_every_byte_may_come_alone(patient):
    """A request in single bytes passes while it is in time."""
    data = post(body=b"{}")
    pieces = [data[place : place + 1] for place in range(len(data))]
    assert 200 == patient.ask(*pieces)[0]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (post(b"/", b"x: " + b"y" * 16_000), 200),
        (post(b"/", b"x: " + b"y" * 16_384), 431),
        (post(b"/", *[b"x%d: " % n + b"y" * 1_000 for n in range(17)]), 431),
        (post(b"/", *[b"x: y"] * 98), 200),
        (post(b"/", *[b"x: y"] * 99), 431),
        (post(b"/" + b"y" * 8_191), 200),
        (post(b"/" + b"y" * 8_192), 414),
        (post(b"/?" + b"y" * 100_000), 414),
        (post(b"/" + b"y" * 8_000, b"x: " + b"y" * 8_400), 431),
    ],
)
def test_heads_are_limited(patient, data, status):
    """Target over 8 KiB: 414. Target and headers over 16 KiB together, or over 100 headers: 431."""
    count = len(patient.app.requests)
    with patient.connection() as sock:
        send(sock, data)
        told, headers, body = answer(sock)
        assert status == told
        assert (status == 200) == (len(patient.app.requests) > count)
        if status != 200:
            assert "close" == headers["connection"]
            error = orjson.loads(body)["error"]
            assert ("invalid_request_error", "request_too_large") == (error["type"], error["code"])
            assert b"" == until_closed(sock)


@pytest.mark.parametrize(
    "endless",
    [
        b"POST / HTTP/1.1\r\nhost: a\r\nx: ",
        b"POST / HTTP/1.1\r\nhost: a\r\nx",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"\r\n",
    ],
)
def test_what_never_ends_is_refused_early(patient, endless):
    """A header, its name, a chunk's extension, a trailer or blank lines without end: refused after some 16 KiB."""
    filler = b"\r\n" * 500 if endless == b"\r\n" else b"y" * 1_000
    with patient.connection() as sock:
        send(sock, endless)
        for _ in range(40):
            send(sock, filler)
        assert 431 == answer(sock)[0]
        send(sock, *[filler] * 1_000)
        until_closed(sock)


def test_many_trailers_are_dropped(patient):
    """Trailers never become headers of the request, which was judged without them."""
    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    trailers = b"".join(b"x-pinion-release: %d\r\n" % n for n in range(5_000))
    status, _, body = patient.ask(head, trailers, b"\r\n")
    assert 200 == status
    assert ["host", "transfer-encoding"] == orjson.loads(body)["headers"]


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\nhost: a\ncontent-length: 2\n\n{}",
        b"POST / HTTP/1.1\r\nhost: a\nx: y\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: a\rx: y\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\x00b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_ambiguous_messages_are_refused(patient, data):
    """What two readers could understand differently, or nobody could, is a 400 in JSON, and reaches nobody."""
    count = len(patient.app.requests)
    status, headers, body = patient.ask(data)
    assert 400 == status
    assert "application/json" == headers["content-type"]
    assert "HTTP/1.1" in orjson.loads(body)["error"]["message"]
    assert count == len(patient.app.requests)


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET /"])
def test_other_versions_are_refused(patient, line):
    """They frame their messages in other ways."""
    status, _, body = patient.ask(line + b"\r\n\r\n")
    assert 505 == status
    assert "HTTP/1.1" in orjson.loads(body)["error"]["message"]


@pytest.mark.parametrize("name", [b"connection", b"Proxy-Connection"])
def test_a_trailer_that_the_parser_would_obey_is_refused(unhurried, name):
    """It would read on and say nothing, so that the next request would wait for ever."""
    data = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n%b: close\r\n\r\n" % name
    status, _, body = unhurried.ask(data)
    assert 400 == status
    assert name.decode().lower() in orjson.loads(body)["error"]["message"]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_leave_to_send_a_body_is_given_to_who_understands_it(patient, version):
    """HTTP/1.0 knows no answer before the answer."""
    with patient.connection() as sock:
        send(sock, post(b"/", b"expect: 100-continue", body=b"{}").replace(b"HTTP/1.1", b"HTTP/" + version))
        first = sock.recv(65536)
    assert (version == b"1.1") == first.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("chunk", [b"2\n{}\n0\n\n", b"2 \r\n{}\r\n0\r\n\r\n", b"zz\r\n", b"2\r\n{}xx0\r\n\r\n"])
def test_broken_chunks_are_refused(unhurried, chunk):
    """A body that cannot be read is a 400 as long as nothing was answered; the application sees a client leave."""
    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    assert 400 == unhurried.ask(head, chunk)[0]
    wait_for(lambda: unhurried.app.gone == len(unhurried.app.requests))


@pytest.mark.parametrize("kind", [b"h2c", b"websocket"])
def test_upgrades_are_refused(patient, kind):
    """The parser below loses the body of such a request, so it is told instead of half served."""
    status, _, body = patient.ask(post(b"/", b"connection: upgrade", b"upgrade: " + kind, body=b"{}"))
    assert 501 == status
    assert "Upgrade" in orjson.loads(body)["error"]["message"]


@pytest.mark.parametrize("path", [b"/v1/messages", b"/v1/messages/count_tokens"])
def test_refusals_speak_the_dialect_of_the_path(patient, path):
    """Anthropic's paths get Anthropic's shape, all others OpenAI's; both carry the request id."""
    _, headers, body = patient.ask(post(path, *[b"x: y"] * 100))
    refusal = orjson.loads(body)
    assert "error" == refusal["type"]
    assert "message" in refusal["error"]
    assert headers["x-request-id"] == refusal["request_id"]


@pytest.mark.parametrize("begun", [b"", b"P", b"POST / HTTP/1.1\r\nhost: a\r\n"])
def test_a_head_has_a_deadline(quick, begun):
    """From the connection's start, whatever has come: 408, then the connection closes."""
    with quick.connection() as sock:
        send(sock, begun)
        assert 408 == answer(sock)[0]
        assert b"" == until_closed(sock)
    assert [] == quick.app.requests


def trickled(sock, byte):
    """Send a byte again and again until something is answered; give that."""
    sock.settimeout(0.02)
    received = b""
    while not received:
        send(sock, byte)
        with suppress(TimeoutError):
            received = sock.recv(65536)
    return received


def test_trickling_does_not_move_the_deadline(quick):
    """A head in single bytes is as late as a silent one, also for the next request on a connection."""
    with quick.connection() as sock:
        send(sock, post())
        assert 200 == answer(sock)[0]
        send(sock, b"POST / HTTP/1.1\r\nx: ")
        assert trickled(sock, b"y").startswith(b"HTTP/1.1 408 ")


def test_a_silent_body_has_a_deadline(quick):
    """No progress for long: 408, and the application sees its client leave."""
    with quick.connection() as sock:
        send(sock, post(body=b"{}")[:-1])
        assert 408 == answer(sock)[0]
        assert b"" == until_closed(sock)
    wait_for(lambda: quick.app.gone == 1)


def test_a_slow_body_has_a_deadline(quick):
    """Progress all along does not help beyond the time for the whole body."""
    with quick.connection() as sock:
        send(sock, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
        assert trickled(sock, b"x").startswith(b"HTTP/1.1 408 ")


def test_a_body_that_nobody_reads_is_not_late():
    """While the application does not take the body, its sender cannot go on and is not blamed for silence."""
    with Server(Limits(body_silence_seconds=0.5, sweep_seconds=0.05)) as server, server.connection() as sock:
        data = post(b"/hold", body=b"x" * 200_000)
        send(sock, data[:150_000])
        assert server.app.waiting.wait(PATIENCE)
        time.sleep(1.2)
        server.app.go_on.set()
        send(sock, data[150_000:])
        assert (200, 200_000) == ((told := answer(sock))[0], orjson.loads(told[2])["size"])


def test_deadlines_do_not_touch_an_answer_under_way(quick):
    """A long stream goes on, even when half a head of the next request has come meanwhile."""
    with quick.connection() as sock:
        send(sock, post(b"/stream") + b"POST / HT")
        assert quick.app.waiting.wait(PATIENCE)
        time.sleep(3 * QUICK.head_seconds)
        quick.app.go_on.set()
        received = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"ended" in received
    assert b"HTTP/1.1 408 " in received


def test_nothing_is_written_into_an_answer_under_way(unhurried):
    """A broken request behind one that is being answered closes the connection and adds nothing."""
    with unhurried.connection() as sock:
        send(sock, post(b"/stream"))
        assert unhurried.app.waiting.wait(PATIENCE)
        send(sock, b"nonsense\r\n\r\n")
        received = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert 1 == received.count(b"HTTP/1.1")


def test_nothing_is_written_before_the_answers_that_come_first(unhurried):
    """A pipelined request with a broken body closes the connection without an answer in the wrong place."""
    with unhurried.connection() as sock:
        chunked = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
        send(sock, post(b"/stream") + chunked)
        received = until_closed(sock)
    assert b"HTTP/1.1 400" not in received


@pytest.mark.parametrize("rest", [post(), post() + b"nonsense\r\n\r\n", post(body=b"{}")[:-1]])
def test_an_application_hears_that_its_client_is_gone_whatever_waits_behind(unhurried, rest):
    """Though the connection knows of a newer request, which never begins."""
    with unhurried.connection() as sock:
        send(sock, post(b"/listen") + rest)
        wait_for(lambda: unhurried.app.requests)
        for guard in tuple(unhurried.guard.watch._guards):
            guard.loop.call_soon_threadsafe(guard.transport.abort)
        until_closed(sock)
    wait_for(lambda: unhurried.app.gone == 1)
    assert ["/listen"] == unhurried.app.requests


def test_a_late_body_whose_answer_has_begun_closes():
    """With an answer begun, a 408 would be part of it: the connection just closes."""
    with Server(Limits(body_silence_seconds=1.0, sweep_seconds=0.05)) as server, server.connection() as sock:
        send(sock, post(b"/stream", body=b"{}")[:-1])
        received = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert 1 == received.count(b"HTTP/1.1")


def test_idle_connections_are_left_to_keep_alive(quick):
    """Between requests no deadline of the guard runs."""
    with quick.connection() as sock:
        for _ in range(2):
            send(sock, post())
            assert 200 == answer(sock)[0]
            time.sleep(2 * QUICK.head_seconds)


def test_the_timer_runs_only_while_there_are_connections(quick):
    """With the last connection gone the timer stops; the next one starts it again."""
    for _ in range(2):
        assert 200 == quick.ask(post())[0]
        wait_for(lambda: quick.guard.watch._timer is None)
        assert set() == quick.guard.watch._guards


def test_a_refused_client_that_does_not_leave_is_left(quick):
    """The refusal can be read for a while; then the connection goes, whatever the client does."""
    with quick.connection() as sock:
        send(sock, b"nonsense\r\n\r\n")
        assert 400 == answer(sock)[0]
        wait_for(lambda: quick.guard.watch._guards == set())


def test_a_client_that_never_reads_is_given_up():
    """A closed connection whose answer stays unread is let go after its time."""
    limits = Limits(sweep_seconds=0.05, flush_seconds=0.2)
    with Server(limits) as server, server.connection() as sock:
        send(sock, post(b"/flood", b"connection: close"))
        wait_for(lambda: server.app.requests)
        wait_for(lambda: server.guard.watch._guards == set())


def test_a_refused_client_that_never_reads_is_given_up():
    """Its refusal waits behind what it has left unread."""
    limits = Limits(sweep_seconds=0.05, linger_seconds=0.05, flush_seconds=0.2)
    with Server(limits) as server, server.connection() as sock:
        send(sock, post(b"/flood"))
        wait_for(lambda: server.app.requests)
        send(sock, b"nonsense\r\n\r\n")
        wait_for(lambda: server.guard.watch._guards == set())
