"""The exchange driven from the HTTP protocol itself, on both event loops, in the clear and by TLS."""

import asyncio
import http.client
import logging
import ssl
from functools import partial

import pytest

from gateway.adapters.edge_guard import Limits
from gateway.core.errors import HeadTooLarge, Malformed, TooSlow
from tests.adapters import certificates
from tests.adapters.edge_by_protocol import LOOPS, OLD, alone, configured, streamed
from tests.adapters.edge_contract import EdgeContract
from tests.adapters.edge_server import CHUNKED, EdgeServer, request, wait_for
from tests.adapters.edge_stage import GOVERNED, Stage, echo, nothing
from tests.adapters.smuggling import CORPUS, has_one_meaning


@pytest.fixture(scope="module", params=LOOPS)
def tls_server(request, tmp_path_factory):
    """One server that speaks TLS, on each loop."""
    issued = certificates.issue(tmp_path_factory.mktemp("tls"))
    config = partial(configured, ssl_certfile=issued.cert, ssl_keyfile=issued.key)
    trust = ssl.create_default_context(cafile=issued.authority)
    with EdgeServer(config, loop=LOOPS[request.param], trust=trust) as running:
        yield running


class TestEdgeProtocol(EdgeContract):
    """The contract."""


class TestEdgeProtocolByTls(EdgeContract):
    """The contract, by TLS."""

    @pytest.fixture
    def edge(self, tls_server):
        """The server, anew."""
        with tls_server.fresh():
            yield tls_server


def test_a_connection_says_what_it_is(edge):
    """For whoever reads a log."""
    edge.stage.script = nothing
    with edge.connection() as client:
        client.send(request())
        edge.heard("body")
        (connection,) = edge.server.server_state.connections
        assert f"<EdgeProtocol WAITING [<GovernedTurn {GOVERNED} 2 bytes, <Exchange ['body']>>]>" == repr(connection)


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
