"""How the protocol's edge ends a connection: after which request, and what becomes of all that still comes."""

import gc

import pytest

from gateway.adapters.edge_guard import Limits
from gateway.adapters.edge_protocol import EdgeProtocol
from gateway.core.errors import ClientFault
from tests.adapters.edge_by_protocol import KEPT_OLD, OLD, alone, streamed
from tests.adapters.edge_server import CHUNKED, request, wait_for
from tests.adapters.edge_stage import GOVERNED, MAX_BODY, nothing


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


@pytest.mark.parametrize(("path", "status"), [(GOVERNED, 200), ("/other", 404)])
def test_a_server_that_parts_says_so_with_each_answer(path, status):
    """Whoever asks on a kept connection is answered, and told to open another: none is closed on a question."""
    with alone() as edge, edge.connection() as client:
        client.send(request(path=path))
        assert None is client_told(client, status)
        edge.server.config.http_protocol_class.is_parting = True
        client.send(request(path=path))
        assert "close" == client_told(client, status)
        assert [] == client.answers()


def client_told(client, status: int) -> str | None:
    """What the next answer, which has this status, says of the connection."""
    answer = client.head()
    answer.read()
    assert status == answer.status
    return answer.getheader("connection")


def receiving() -> list[EdgeProtocol]:
    """The connections that hold a request whose body is not whole, closed or not."""
    return [each for each in gc.get_objects() if isinstance(each, EdgeProtocol) and each._receiving is not None]


def test_a_client_that_leaves_within_its_request_leaves_nothing_to_be_collected():
    """What was being received holds its connection, which lets go of it: else it were a kilobyte until a collection."""
    gc.collect()
    with alone(Limits()) as edge:
        edge.stage.script = nothing
        with edge.connection() as client:
            client.send(request(b"half", length=100))
            wait_for(lambda: edge.stage.opened)
            assert 1 == len(receiving())
        wait_for(lambda: not receiving())
