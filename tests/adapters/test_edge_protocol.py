"""The exchange driven from the HTTP protocol itself, on both event loops, in the clear and by TLS."""

import asyncio
import http.client
import logging
import re
import ssl
from functools import partial
from itertools import pairwise, takewhile

import pytest
import uvicorn
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.edge_asgi import AsgiEdge
from gateway.adapters.edge_guard import Limits, guarded
from gateway.adapters.edge_protocol import driving
from gateway.core.errors import ClientFault, HeadTooLarge, Malformed, TooSlow
from tests.adapters import certificates
from tests.adapters.edge_contract import (
    CHUNKED,
    GOVERNED,
    MAX_BODY,
    PATIENCE,
    EdgeContract,
    EdgeServer,
    Stage,
    echo,
    flood,
    nothing,
    others,
    request,
    wait_for,
)
from tests.adapters.smuggling import CORPUS, has_one_meaning

SWIFT = Limits(sweep_seconds=0.05, linger_seconds=0.05)
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def configured(stage: Stage, limits: Limits = SWIFT, application=others, **settings) -> uvicorn.Config:
    """A server with the protocol's edge."""
    return uvicorn.Config(
        application,
        port=0,
        http=driving(stage, limits),
        log_config=None,
        ws="none",
        lifespan="off",
        **settings,
    )


@pytest.fixture(scope="module", params=LOOPS)
def server(request):
    """One server for all tests, on each loop."""
    with EdgeServer(configured, loop=LOOPS[request.param]) as running:
        yield running


@pytest.fixture
def edge(server):
    """The server, anew."""
    with server.fresh():
        yield server


@pytest.fixture(scope="module", params=LOOPS)
def tls_server(request, tmp_path_factory):
    """One server that speaks TLS, on each loop."""
    issued = certificates.issue(tmp_path_factory.mktemp("tls"))
    config = partial(configured, ssl_certfile=issued.cert, ssl_keyfile=issued.key)
    trust = ssl.create_default_context(cafile=issued.authority)
    with EdgeServer(config, loop=LOOPS[request.param], trust=trust) as running:
        yield running


def alone(limits: Limits = SWIFT, **settings) -> EdgeServer:
    """A server of its own, for a test that needs other limits."""
    return EdgeServer(partial(configured, limits=limits, **settings))


class TestEdgeProtocol(EdgeContract):
    """The contract."""


class TestEdgeProtocolByTls(EdgeContract):
    """The contract, by TLS."""

    @pytest.fixture
    def edge(self, tls_server):
        """The server, anew."""
        with tls_server.fresh():
            yield tls_server


OLD = request().replace(b"HTTP/1.1", b"HTTP/1.0")
KEPT_OLD = request(b"{}", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
"""After this one the parser goes on, though the connection does not."""


def streamed(exchange) -> None:
    """Begin an answer that the test goes on with."""
    exchange.begin()
    exchange.downstream.write(b"begun")


# The end of a connection


def test_an_unfinished_request_that_is_refused_ends_its_connection(edge):
    """Nothing that still comes is taken, and the refusal can be read however much that is."""
    edge.stage.refusal = ClientFault("who are you")
    with edge.connection() as client:
        client.send(request(b"", length=4_000_000))
        answer = client.head()
        assert ("close", b"who are you") == (answer.getheader("connection"), answer.read())
        client.send(b"x" * 4_000_000, request())
        assert [] == client.answers()
    assert 1 == len(edge.stage.opened)


def test_a_body_over_the_limit_ends_its_connection(edge):
    """Its rest is not received."""
    with edge.connection() as client:
        client.send(request(b"x" * (2 * MAX_BODY)) + request())
        assert [413] == [status for status, _ in client.answers()]
    assert 1 == len(edge.stage.opened)


@pytest.mark.parametrize("last", [request(b"{}", "Connection: close"), OLD, KEPT_OLD])
@pytest.mark.parametrize(
    "rest", [request(), request(path="/other"), b"nonsense\r\n\r\n", CHUNKED + b"zz\r\n", b"\r\n", b"x" * 100_000]
)
@pytest.mark.parametrize("apart", [False, True])
def test_what_follows_the_last_request_is_nothing(edge, last, rest, apart):
    """Its answer is whole, whatever came behind it, at once or while it was under way."""
    edge.stage.script = streamed
    with edge.connection() as client:
        client.send(last if apart else last + rest)
        answer = client.head()
        assert b"begun" == answer.read1()
        if apart:
            client.send(rest)
            edge.settle()
        edge.call(edge.exchange.downstream.write, b"ended")
        edge.call(edge.exchange.downstream.finish)
        assert b"ended" == answer.read()
        assert [] == client.answers()
    assert ["body"] == edge.exchange.events
    assert 1 == len(edge.stage.opened)


def test_a_request_behind_the_last_one_has_no_deadline():
    """It is never answered, so that its half a body cuts nothing short."""
    with alone(Limits(sweep_seconds=0.01, body_silence_seconds=0.02, body_seconds=0.02)) as edge:
        edge.stage.script = nothing
        with edge.connection() as client:
            client.send(KEPT_OLD + request(b"half", length=100))
            edge.heard("body")
            (connection,) = edge.server.server_state.connections
            wait_for(lambda: edge._loop.time() - connection._progress > 0.1)
            edge.call(edge.exchange.answer, 200, b"whole")
            assert [(200, b"whole")] == client.answers()


def test_a_refusal_can_be_read_whatever_is_still_sent():
    """The connection is not reset while its client has not said all: that could overtake the refusal."""
    with alone(Limits(linger_seconds=60)) as edge, edge.connection() as client:
        edge.stage.refusal = ClientFault("who are you")
        client.sock.sendall(request(b"x" * 3_000_000, length=4_000_000))
        assert (400, b"who are you") == client.answer()
        assert b"" == client.sock.recv(1)


@pytest.mark.parametrize(("behind", "rest"), [(b"", request()), (request(), request()), (b"", b"nonsense\r\n\r\n")])
def test_a_server_that_stops_takes_no_further_request(edge, behind, rest):
    """Neither one that waits behind the answer under way nor one that comes then."""
    edge.stage.script = streamed
    with edge.connection() as client:
        client.send(request() + behind)
        answer = client.head()
        (connection,) = edge.server.server_state.connections
        edge.call(connection.shutdown)
        edge.settle()
        client.send(rest)
        edge.settle()
        edge.call(edge.exchange.downstream.finish)
        assert b"begun" == answer.read()
        assert [] == client.answers()
    assert 1 == len(edge.stage.opened)


def test_a_server_that_stops_lets_a_request_come_in(edge):
    """One whose head is in is received, answered, and the last."""
    with edge.connection() as client:
        client.send(request(b"ha", length=4))
        assert edge.exchange
        (connection,) = edge.server.server_state.connections
        edge.call(connection.shutdown)
        edge.settle()
        client.send(b"lf" + request())
        assert [(200, b"half")] == client.answers()


@pytest.mark.parametrize(("path", "status"), [(GOVERNED, 200), ("/other", 404)])
def test_an_idle_connection_is_hung_up_on(path, status):
    """After the server's keep-alive time, counted from the end of its last answer."""
    with alone(Limits(sweep_seconds=0.02), timeout_keep_alive=0.2) as edge, edge.connection() as client:
        client.send(request(path=path))
        assert status == client.answer()[0]
        answered = edge._loop.time()
        assert [] == client.answers()
        assert edge._loop.time() - answered > 0.1


def test_a_connection_under_way_is_not_idle():
    """However long its answer takes."""
    with alone(Limits(sweep_seconds=0.01), timeout_keep_alive=0.01) as edge, edge.connection() as client:
        edge.stage.script = nothing
        client.send(request())
        edge.heard("body")
        (connection,) = edge.server.server_state.connections
        began = edge._loop.time()
        wait_for(lambda: connection._began > began + 0.1)
        edge.call(edge.exchange.answer, 200, b"late")
        assert (200, b"late") == client.answer()


# What cannot be received


def test_a_body_that_stops_coming_is_refused_by_its_exchange():
    """So that it is counted and logged as every other refusal."""
    with alone(Limits(sweep_seconds=0.02, body_silence_seconds=0.1)) as edge, edge.connection() as client:
        client.send(request(b"half", length=100))
        assert [(408, b"the request's body did not arrive in time")] == client.answers()
        assert [TooSlow] == [type(fault) for fault in edge.exchange.faults]
        wait_for(lambda: edge.stage.closed == edge.stage.opened)


def test_a_head_that_stops_coming_is_refused_without_an_exchange():
    """There is none yet."""
    with alone(Limits(sweep_seconds=0.02, head_seconds=0.1)) as edge, edge.connection() as client:
        client.send(request()[:-10])
        assert [408] == [status for status, _ in client.answers()]
        assert [] == edge.stage.opened


def test_a_body_behind_an_answer_under_way_is_not_late():
    """It is the gateway that does not read on."""
    limits = Limits(sweep_seconds=0.01, body_silence_seconds=0.5, body_seconds=0.5)
    with alone(limits) as edge, edge.connection() as client:
        edge.stage.script = nothing
        client.send(request() + request(b"ha", length=4))
        edge.heard("body")
        (connection,) = edge.server.server_state.connections
        began = edge._loop.time()
        wait_for(lambda: connection._progress > began + 0.6)
        edge.stage.script = echo
        edge.call(edge.exchange.answer, 200, b"late")
        client.send(b"lf")
        assert [(200, b"late"), (200, b"half")] == [client.answer(), client.answer()]


def test_a_body_behind_an_application_that_listens_is_not_late():
    """Listening for its client to leave, it has the connection read on; the body's turn has not come nevertheless."""
    go_on = asyncio.Event()

    async def listening(_scope, receive, send):
        await receive()
        leaving = asyncio.ensure_future(receive())
        await go_on.wait()
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        await leaving

    limits = Limits(sweep_seconds=0.01, body_silence_seconds=0.5, body_seconds=0.5)
    with alone(limits, application=listening) as edge, edge.connection() as client:
        client.send(request(path="/other") + request(b"", "Expect: 100-continue", length=2))
        wait_for(lambda: edge.server.server_state.connections)
        (connection,) = edge.server.server_state.connections
        wait_for(lambda: connection._turns and not connection.flow.read_paused)
        began = edge._loop.time()
        wait_for(lambda: connection._progress > began + 0.6)
        edge.call(go_on.set)
        assert 404 == client.answer()[0]
        assert (b"HTTP/1.1 100 Continue\r\n", b"\r\n") == (client.line(), client.line())
        client.send(b"{}")
        assert (200, b"{}") == client.answer()


@pytest.mark.parametrize(
    ("rest", "fault"),
    [(b"zz\r\n", Malformed), (b"2\r\n{}xx", Malformed), (b"2;" + b"x" * 40_000, HeadTooLarge)],
)
def test_a_broken_body_is_refused_by_its_exchange(edge, rest, fault):
    """So that it is counted and logged as every other refusal."""
    with edge.connection() as client:
        client.send(CHUNKED)
        assert edge.exchange
        client.send(rest)
        assert [fault.status] == [status for status, _ in client.answers()]
    assert [fault] == [type(told) for told in edge.exchange.faults]
    assert ["refused"] == edge.exchange.events


def test_a_body_that_is_broken_at_once_needs_no_exchange(edge):
    """It was no request before it was bad HTTP."""
    with edge.connection() as client:
        client.send(CHUNKED + b"zz\r\n")
        assert [400] == [status for status, _ in client.answers()]
    assert [] == edge.stage.opened


@pytest.mark.parametrize("rest", [b"nonsense\r\n\r\n", CHUNKED + b"zz\r\n"])
def test_nothing_is_told_within_an_answer_under_way(edge, rest):
    """A broken request behind it ends the connection, and the exchange hears that its client is gone."""
    edge.stage.script = streamed
    with edge.connection() as client:
        client.send(request())
        answer = client.head()
        assert b"begun" == answer.read1()
        client.send(rest)
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
    edge.heard("gone")


def test_a_broken_body_behind_a_request_under_way_ends_both(edge):
    """Its refusal would be taken for the answer to the first."""
    edge.stage.script = nothing
    with edge.connection() as client:
        client.send(request())
        edge.heard("body")
        client.send(CHUNKED + b"zz\r\n")
        assert [] == client.answers()
    edge.heard("gone")


def test_a_body_that_nobody_waits_for_any_more_is_passed_over(edge):
    """The application of the others answers before it is there; the connection is kept, and used again."""
    with edge.connection() as client:
        client.send(request(b"ha", path="/other", length=4))
        assert (404, b"/other") == client.answer()
        client.send(b"lf" + request())
        assert (200, b"{}") == client.answer()


# Many at once


@pytest.mark.parametrize("paths", [[GOVERNED], ["/other"], [GOVERNED, "/other", GOVERNED]])
def test_a_flood_is_answered(edge, paths):
    """Thousands of requests in one piece, each in its turn."""
    rounds = 3_000 // len(paths)
    with edge.connection() as client:
        client.send(b"".join(f"PUT {path} HTTP/1.1\r\n\r\n".encode() for path in paths) * rounds)
        expected = [200 if path == GOVERNED else 404 for path in paths] * rounds
        assert expected == [client.answer()[0] for _ in expected]
    assert paths.count(GOVERNED) * rounds == len(edge.stage.opened)


def test_a_flood_lets_others_in_between(edge):
    """One client's requests are not all answered in one go."""
    others_had = []
    edge.stage.script = lambda exchange: (
        echo(exchange),
        len(edge.stage.opened) == 1 and edge._loop.call_soon(lambda: others_had.append(len(edge.stage.opened))),
    )
    with edge.connection() as client:
        client.send(f"PUT {GOVERNED} HTTP/1.1\r\n\r\n".encode() * 500)
        assert [200] * 500 == [client.answer()[0] for _ in range(500)]
    assert others_had[0] < 100


def test_what_waits_is_bounded(edge):
    """While a request waits behind another, nothing more is read."""
    edge.stage.script = nothing
    with edge.connection() as client:
        client.send(request() + request())
        edge.heard("body")
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sock.sendall(request(b"x" * 500_000) * 40)
        (connection,) = edge.server.server_state.connections
        assert len(connection._turns) < 10
        edge.call(connection.transport.abort)


def test_a_client_that_does_not_read_gets_no_further_answer(edge):
    """What is answered and unread is bounded, whatever is asked; once it is read, the rest is answered."""
    edge.stage.script = lambda exchange: exchange.answer(200, b"x" * 1_000_000)
    with edge.connection(receive_buffer=4096) as client:
        client.send(request() * 40)
        wait_for(lambda: edge.stage.opened)
        edge.settle()
        assert len(edge.stage.opened) < 20
        assert [1_000_000] * 40 == [len(client.answer()[1]) for _ in range(40)]


@pytest.mark.parametrize("path", [GOVERNED, "/other"])
def test_a_request_waits_while_what_was_written_is_unread(edge, path):
    """It begins when that has been sent."""
    with edge.connection() as client:
        client.send(request(path="/other"))
        assert 404 == client.answer()[0]
        (connection,) = edge.server.server_state.connections
        edge.call(connection.pause_writing)
        edge.settle()
        client.send(request(path=path))
        wait_for(lambda: connection._turns)
        edge.settle()
        assert 1 == len(connection._turns)
        assert [] == edge.stage.opened
        edge.call(connection.resume_writing)
        assert (200 if path == GOVERNED else 404) == client.answer()[0]


@pytest.mark.parametrize("path", [GOVERNED, "/other"])
def test_a_client_that_reads_nothing_is_given_up(path):
    """With its requests that wait, where no exchange is under way that would give it up."""

    async def large(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(16 << 20), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with alone(Limits(sweep_seconds=0.02, flush_seconds=0.4), application=large) as edge:
        edge.stage.script = lambda exchange: exchange.answer(200, bytes(16 << 20))
        with edge.connection(receive_buffer=4096) as client:
            client.send(request(path=path) * 3)
            wait_for(lambda: edge.server.server_state.connections)
            wait_for(lambda: not edge.server.server_state.connections)
        assert len(edge.stage.opened) == len(edge.stage.closed)


def test_an_exchange_gives_up_its_client_by_itself():
    """The protocol leaves it to that."""
    with alone(Limits(sweep_seconds=0.01, flush_seconds=0.01)) as edge:
        edge.stage.script = flood
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
            (connection,) = edge.server.server_state.connections
            paused = connection._unread_since
            wait_for(lambda: connection._began > paused + 0.1)
            assert "gone" not in edge.exchange.events


def test_a_refused_client_that_reads_nothing_is_given_up():
    """The refusal waits behind what is unread, and not for ever."""
    with alone(Limits(sweep_seconds=0.02, flush_seconds=0.4, linger_seconds=0.02)) as edge:
        edge.stage.script = lambda exchange: exchange.answer(200, bytes(16 << 20))
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            wait_for(lambda: edge.stage.closed)
            client.send(b"nonsense\r\n\r\n")
            wait_for(lambda: not edge.server.server_state.connections)


def test_an_exchange_that_begins_while_bytes_pile_up_starts_paused(edge):
    """Its body comes in while the leave to send it is unread, with all that came before."""
    edge.stage.script = lambda exchange: exchange.answer(200, b"")
    with edge.connection() as client:
        client.send(request(b"", "Expect: 100-continue", length=2))
        assert edge.exchange
        (connection,) = edge.server.server_state.connections
        edge.call(connection.pause_writing)
        edge.stage.script = nothing
        edge.settle()
        client.send(b"{}")
        edge.heard("body")
        assert ["pause", "body", "pause"] == edge.exchange.events
        edge.call(connection.resume_writing)
        assert ["pause", "body", "pause", "resume"] == edge.heard("resume").events


def test_a_client_that_leaves_with_requests_waiting_is_gone(edge):
    """The one exchange that has begun hears of it, and no other begins."""
    edge.stage.script = streamed
    with edge.connection() as client:
        client.send(request() + request(path="/other") + request())
        client.head()

    def is_gone() -> bool:
        """Nothing is read while requests wait, so that only a write finds the client gone."""
        edge.call(edge.exchange.downstream.write, b"more")
        return "gone" in edge.exchange.events

    wait_for(is_gone)
    assert [edge.exchange] == edge.stage.opened == edge.stage.closed


def test_what_is_written_for_a_client_that_is_leaving_goes_nowhere(edge):
    """Its exchange hears of that a moment later."""
    edge.stage.script = nothing
    with edge.connection() as client:
        client.send(request())
        edge.heard("body")
        (connection,) = edge.server.server_state.connections
        edge.call(lambda: (connection.transport.abort(), streamed(edge.exchange)))
        assert [] == client.answers()
    assert ["body", "gone"] == edge.heard("gone").events


def test_a_connection_says_what_it_is(edge):
    """For whoever reads a log."""
    edge.stage.script = nothing
    with edge.connection() as client:
        client.send(request())
        edge.heard("body")
        (connection,) = edge.server.server_state.connections
        assert f"<EdgeProtocol WAITING [<GovernedTurn {GOVERNED} 2 bytes, <Exchange ['body']>>]>" == repr(connection)


def test_another_request_that_waits_is_never_begun_for_a_client_that_left():
    """Nor is it told of anything."""
    asked = []

    async def application(scope, _receive, _send):
        asked.append(scope["path"])

    with alone(application=application) as edge:
        edge.stage.script = nothing
        with edge.connection() as client:
            client.send(request() + request(path="/other"))
            edge.heard("body")
            (connection,) = edge.server.server_state.connections
            edge.call(connection.transport.abort)
            assert [] == client.answers()
        edge.heard("gone")
        edge.settle()
        assert [] == asked


# Faults of Pinion's own


@pytest.mark.parametrize("pieces", [(request() + request(),), (CHUNKED, b"zz\r\n"), (OLD,)])
def test_a_fault_is_told_where_nothing_was_yet(pieces, caplog):
    """It is logged, its exchange closed, and its connection ended."""

    class Faulty(Stage):
        """Its exchanges fail at everything."""

        def open(self, downstream, head):
            exchange = super().open(downstream, head)
            exchange.refuse = exchange.body = lambda _: (exchange.begin(), exchange.no_such_thing())
            return exchange

    with caplog.at_level(logging.ERROR, "uvicorn.error"), EdgeServer(configured, stage=Faulty()) as edge:
        with edge.connection() as client:
            for piece in pieces:
                client.send(piece)
                assert edge.exchange
            assert [500] == [status for status, _ in client.answers()]
        assert ["gone"] == edge.exchange.events
        assert [edge.exchange] == edge.stage.closed
    assert ["Exception in an exchange"] == [record.message for record in caplog.records]


def test_a_fault_amid_a_body_can_be_read():
    """However much of the request is still sent."""

    class Faulty(Stage):
        """It cannot begin an exchange."""

        def open(self, downstream, head):
            raise LookupError(downstream, head)

    with EdgeServer(configured, stage=Faulty()) as edge, edge.connection() as client:
        client.send(request(b"half", length=4_000_000))
        client.send(b"x" * 4_000_000)
        assert [500] == [status for status, _ in client.answers()]


def test_a_fault_amid_an_answer_cuts_it(edge):
    """It has no proper end, and the exchange hears that its client is gone."""
    edge.stage.script = lambda exchange: (streamed(exchange), exchange.no_such_thing())
    with edge.connection() as client:
        client.send(request())
        with pytest.raises(http.client.IncompleteRead):
            client.head().read()
    assert ["body", "gone"] == edge.heard("gone").events


def test_a_fault_amid_an_old_clients_answer_resets_it(edge):
    """It has no other way to tell that from the end."""
    edge.stage.script = lambda exchange: (streamed(exchange), exchange.no_such_thing())
    with edge.connection() as client:
        client.send(OLD)
        with pytest.raises(ConnectionResetError):
            client.head().read()


def test_a_cut_answer_of_an_old_client_is_reset(edge):
    """So is one that the exchange cuts."""
    edge.stage.script = lambda exchange: (streamed(exchange), exchange.downstream.abort())
    with edge.connection() as client:
        client.send(OLD)
        with pytest.raises(ConnectionResetError):
            client.head().read()


def test_a_fault_after_an_answer_is_logged_alone(edge, caplog):
    """The answer is whole, and so is the connection."""
    edge.stage.script = lambda exchange: (echo(exchange), exchange.no_such_thing())
    with caplog.at_level(logging.ERROR, "uvicorn.error"), edge.connection() as client:
        client.send(request(b"one") + request(b"two"))
        assert [(200, b"one"), (200, b"two")] == [client.answer(), client.answer()]
        wait_for(lambda: len(caplog.records) == 2)
    assert {"Exception in an exchange"} == {record.message for record in caplog.records}


# What two servers might understand differently


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "in single bytes"])
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_a_message_has_one_meaning_or_none(edge, case, apart):
    """What an ambiguous message says is not guessed, and its rest is no request."""
    has_one_meaning(edge, case, apart=apart)


# The same bytes, by way of ASGI and without it

PATHS = [
    GOVERNED,
    GOVERNED,
    f"{GOVERNED}?a=%20b",
    f"http://other{GOVERNED}#x",
    "/other",
    "/other?a",
    f"{GOVERNED}/",
    "*",
]
FRAMINGS = ["none", "length", "chunked"]
KEPT = ["", "", "", "Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: x, Close\r\n"]
EXTRA = ["", "", "Expect: 100-continue\r\n", "Host: twice\r\n", "X-Empty:\r\n", "Upgrade: h2c\r\n"]
BODIES = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"{}", b"0\r\n\r\n", b"x" * 3_000, request(b"!")]))
SMALL_BODY = 2_000


@st.composite
def requests_as_sent(draw) -> bytes:
    """One request, well formed."""
    method = draw(st.sampled_from(["POST", "POST", "GET", "HEAD", "PUT"]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    framing = draw(st.sampled_from(FRAMINGS if version == "1.1" else FRAMINGS[:2]))
    body = b"" if framing == "none" else draw(BODIES)
    head = f"{method} {draw(st.sampled_from(PATHS))} HTTP/{version}\r\nHost: gw.test\r\n"
    head += draw(st.sampled_from(KEPT)) + draw(st.sampled_from(EXTRA))
    if framing == "length":
        head += f"Content-Length: {len(body)}\r\n"
    if framing == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
        body = draw(chunked(body))
    return head.encode() + b"\r\n" + body


@st.composite
def chunked(draw, body: bytes) -> bytes:
    """A body in chunks, with all that may stand between them."""
    cuts = sorted(draw(st.sets(st.integers(1, len(body)), max_size=3)) | {0, len(body)}) if body else [0]
    extensions = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b"'])
    chunks = [b"%x%b\r\n%b\r\n" % (to - at, draw(extensions), body[at:to]) for at, to in pairwise(cuts)]
    trailers = draw(st.sampled_from([b"", b"", b"x-trailer: 1\r\n", b"Host: c\r\nExpect: 100-continue\r\n"]))
    return b"".join([*chunks, b"0", draw(extensions), b"\r\n", trailers, b"\r\n"])


@st.composite
def mutated(draw, sent: bytes) -> bytes:
    """The same with a byte changed, put in or left out."""
    at = draw(st.integers(0, len(sent) - 1))
    byte = draw(st.one_of(st.sampled_from(list(b"\r\n :;,0123456789abcGH/\t\x00")), st.integers(0, 255)))
    return draw(
        st.sampled_from([sent[:at] + sent[at + 1 :], sent[:at] + bytes([byte]) + sent[at + draw(st.integers(0, 1)) :]])
    )


@st.composite
def connections(draw) -> list[bytes]:
    """What one client sends, in the pieces in which it arrives."""
    sent = draw(st.lists(requests_as_sent(), min_size=1, max_size=4))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(sent) - 1))
        sent[at] = draw(mutated(sent[at]))
    # After HTTP/1.0 the connection ends, but with this llhttp reads on: then the protocol's edge takes no notice of
    # garbage, where the guard gives the answer up.
    sent = [one.replace(b": keep-alive", b": x") if b"HTTP/1.0" in one else one for one in sent]
    stream = b"".join(sent)
    if draw(st.booleans()):
        return sent
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=5)) | {0, len(stream)})
    return [stream[at:to] for at, to in pairwise(cuts)]


def counting(protocol: type) -> type:
    """The same protocol, which counts the bytes that it was given."""

    class Counting(protocol):
        """One client's connection."""

        received = 0

        def data_received(self, data: bytes) -> None:
            self.received += len(data)
            super().data_received(data)

    return Counting


async def mirror(scope, receive, send) -> None:
    """The application of the others: answers with what was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    headers = [(b"content-length", b"%d" % len(body)), (b"x-method", scope["method"].encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def mirrored(exchange) -> None:
    """The same of an exchange."""
    exchange.begin(200, (b"content-length", b"%d" % len(exchange.whole)), (b"x-method", exchange.head.method.encode()))
    exchange.downstream.write(exchange.whole)
    exchange.downstream.finish()


class Reader(asyncio.Protocol):
    """A client that reads until the other side closes."""

    def __init__(self) -> None:
        self.read = b""
        self.is_over = False

    def data_received(self, data: bytes) -> None:
        self.read += data

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_over = True


class Side:
    """A server with one of the two edges, and a client that plays connections to it on the server's own loop."""

    def __init__(self, config) -> None:
        self.edge = EdgeServer(config)
        self.edge.stage.max_body = SMALL_BODY

    def play(self, pieces: list[bytes]) -> tuple[list, list]:
        """Give what the client read, and what reached exchanges."""
        with self.edge.fresh() as edge:
            edge.stage.script = mirrored
            read = asyncio.run_coroutine_threadsafe(self._played(pieces), edge._loop).result(PATIENCE)
        return answers_in(read), reached(edge.stage.opened)

    async def _played(self, pieces: list[bytes]) -> bytes:
        loop, known = asyncio.get_running_loop(), self.edge.server.server_state.connections
        assert not known
        transport, reader = await loop.create_connection(Reader, "127.0.0.1", self.edge.port)
        await rounds_until(lambda: known)
        (connection,) = known

        def has_taken(sent: int) -> bool:
            """Whether that much has arrived, or nothing more is taken."""
            return connection.received == sent or connection.transport.is_closing() or reader.is_over

        for number, piece in enumerate(pieces):
            transport.write(piece)
            await rounds_until(partial(has_taken, sum(map(len, pieces[: number + 1]))))
            await rounds_until(partial(next, iter([False] * 60 + [True])))  # four requests by way of ASGI take fewer
        transport.close() if reader.is_over else transport.write_eof()
        await rounds_until(lambda: reader.is_over and not known)
        return reader.read


async def rounds_until(reached) -> None:
    """Let the loop go round until a condition holds."""
    while not reached():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)


def answers_in(read: bytes) -> list[tuple[int, bytes]]:
    """The answers in a connection, as far as they must be the same: status and body, and of a refusal the status.

    Whether a client that waits for leave is given it although its body is there already is left to a server (RFC 9110,
    10.1.1). What follows a refusal is not the same: the protocol's edge ends a connection on which a request was
    refused before its end, where the guard and uvicorn receive the rest of it and go on.
    """
    answers: list[tuple[int, bytes]] = []
    while read:
        head, _, read = read.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1]) if status >= 200 else 0
        body, read = (b"", read) if b"x-method: HEAD" in head else (read[:length], read[length:])
        if status not in (100, 200, 404):
            return [*answers, (status, b"")]
        if status != 100:
            answers.append((status, body))
    return answers


def reached(opened: list) -> list:
    """The requests that reached exchanges whole, up to the first refusal: see above.

    An exchange that never saw a body is left out. By way of ASGI it begins once the head is in, and only to hear that
    its client is gone where the same piece of bytes turns out to be broken; without, it has not begun.
    """
    whole = list(takewhile(lambda exchange: not exchange.faults, opened))
    return [
        (exchange.head.method, exchange.head.path, exchange.head.query, exchange.head.headers, exchange.whole)
        for exchange in whole
        if exchange.whole is not None
    ]


@pytest.fixture(scope="module")
def sides():
    """The two edges."""

    def by_asgi(stage: Stage) -> uvicorn.Config:
        """The guard, and the exchange behind ASGI."""
        config = configured(stage, application=AsgiEdge(stage, mirror))
        config.http = counting(guarded(SWIFT))
        return config

    def without(stage: Stage) -> uvicorn.Config:
        """The exchange driven from the protocol."""
        config = configured(stage, application=mirror)
        config.http = counting(driving(stage, SWIFT))
        return config

    by, directly = Side(by_asgi), Side(without)
    with by.edge, directly.edge:
        yield by, directly


@settings(max_examples=400)
@given(pieces=connections())
def test_both_edges_understand_the_same(sides, pieces):
    """Whatever a client sends, and however it is cut, its answers and what reaches exchanges are the same."""
    by, directly = sides

    assert by.play(pieces) == directly.play(pieces)
