"""HTTP/1.1 on a socket: what is read, what is written, and what happens when the client leaves."""

import asyncio
import socket

import pytest

from gateway.simulator.connection import Connection, Request

BODY = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"


@pytest.fixture
def wire(sim):
    """A raw connection to the simulator."""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=10) as client:
        yield client


def until_end(client):
    """All that comes before the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def until(client, end):
    """All that comes up to and with `end`."""
    content = b""
    while not content.endswith(end):
        content += client.recv(65536)
    return content


def test_requests_are_answered_on_one_connection_in_order(sim, wire):
    """Pipelined requests are answered one after the other, and share the connection's number."""
    wire.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
    wire.sendall(b"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    content = until_end(wire)
    assert 2 == content.count(b"HTTP/1.1 200 OK\r\n")
    assert content.index(b"chat.completion") < content.index(b'"owned_by"')
    assert [1, 1] == [one.connection for one in sim.settled()]


def test_pipelined_requests_wait_for_the_answer_before(sim, wire):
    """A request that comes while another is answered starts after it."""
    sim.behave_model("m", hang="head")
    wire.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY + b"GET /v1/models HTTP/1.1\r\n\r\n")
    sim.wait(lambda requests: len(requests) == 1)
    sim.behave_model("m", hang=None)
    assert [200, 200] == [one.status for one in sim.wait(lambda all_: len(all_) == 2 and all_[1].finished)]


def test_a_chunked_request_is_read(sim, wire):
    """A body without a length is read to its last chunk."""
    pieces = b"".join(b"1\r\n%c\r\n" % one for one in BODY)
    wire.sendall(HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n" + pieces + b"0\r\n\r\n")
    assert until_end(wire).startswith(b"HTTP/1.1 200 OK")
    assert BODY == sim.requests()[0].body


def test_a_client_that_expects_to_be_asked_is_asked(wire):
    """A request with `expect: 100-continue` is told to go on before its body."""
    wire.sendall(HEAD + b"expect: 100-continue\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(BODY))
    assert b"HTTP/1.1 100 Continue\r\n\r\n" == until(wire, b"\r\n\r\n")
    wire.sendall(BODY)
    assert until_end(wire).startswith(b"HTTP/1.1 200 OK")


def test_what_is_no_http_is_a_400(sim, wire):
    """Bytes that are no HTTP are answered 400, and the connection closes."""
    wire.sendall(b"\x16\x03\x01\r\n\r\n")
    assert until_end(wire).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert [] == sim.requests()


def test_an_old_client_gets_a_closing_answer(wire):
    """An HTTP/1.0 client's connection closes after its answer."""
    wire.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
    assert b"connection: close\r\n" in until_end(wire)


def test_a_stream_to_a_closing_client_ends_properly(sim, wire):
    """A stream has its last chunk before the connection closes."""
    body = BODY.replace(b"{", b'{"stream":true,', 1)
    wire.sendall(HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    assert until_end(wire).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert not sim.settled()[0].aborted


def test_a_client_that_leaves_ends_its_answer(sim, wire):
    """When the client goes away, the answer under way is noted as aborted."""
    sim.behave(hang="head")
    wire.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
    sim.wait(lambda requests: len(requests) == 1)
    wire.close()
    (request,) = sim.settled()
    assert (True, False, None) == (request.aborted, request.cut, request.status)
    assert 1 == sim.stats()["aborted"]


def test_a_slow_client_gets_a_long_stream_whole(sim, wire):
    """A stream of some megabytes waits for its client where it must, and comes to its end."""
    sim.behave(answer="word " * 20_000)
    body = BODY.replace(b"{", b'{"stream":true,', 1)
    wire.sendall(HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    sim.wait(lambda requests: len(requests) == 1)
    assert until_end(wire).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert 0 == len([one for one in sim.settled() if one.aborted])


@pytest.mark.anyio
async def test_writing_waits_while_the_transport_is_full():
    """A reply waits from the transport's pause to its resumption, and not otherwise."""
    connection = Connection(never, set(), 1)
    await connection.writable()
    connection.pause_writing()
    waiting = asyncio.ensure_future(connection.writable())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.resume_writing()
    await waiting


class Transport(asyncio.Transport):
    """A transport that only remembers whether it was closed."""

    closed = False

    def close(self):
        """Remember it."""
        self.closed = True

    def is_closing(self):
        """Whether it was closed."""
        return self.closed


@pytest.mark.anyio
async def test_a_handler_that_breaks_closes_the_connection():
    """When a handler raises, its client does not wait for what will not come."""
    broken = []

    async def breaking(*_):
        broken.append(asyncio.current_task())
        raise ZeroDivisionError

    connection = Connection(breaking, set(), 1)
    transport = Transport()
    connection.connection_made(transport)
    connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        await broken[0]
    assert transport.closed


async def never(request, reply):
    """A handler for a connection that gets no request."""


def test_a_status_without_a_standard_name_is_sent(sim, wire):
    """A status that is in no standard has a reason all the same."""
    sim.behave(error_rate=1, error_status=529)
    wire.sendall(b"GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert until_end(wire).startswith(b"HTTP/1.1 529 Error\r\n")


def test_a_request_knows_its_parts():
    """The path has no query; a header is found by name, the first of several."""
    request = Request("GET", "/a?b=c", (("x", "1"), ("x", "2")), b"")
    assert ("/a", "1", None) == (request.path, request.header("x"), request.header("y"))
