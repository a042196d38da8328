"""Many connections and requests at once, and clients that do not read: what waits at the protocol's edge is bounded."""

import asyncio
import ssl
import threading
from dataclasses import replace
from itertools import groupby

import pytest

from gateway.adapters.edge_guard import Limits, Watch
from tests.adapters.certificates import issue
from tests.adapters.edge_by_protocol import LOOPS, SWIFT, alone, streamed
from tests.adapters.edge_server import request, wait_for
from tests.adapters.edge_stage import GOVERNED, echo, flood, nothing


@pytest.mark.untraced
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


def test_a_connection_too_many_is_told_so(refused):
    """Before it has said anything, with a time to come back at; the others are served, later the next."""
    limits = replace(SWIFT, connections=2)
    with alone(limits, turned_away=refused.set) as edge, edge.connection() as first:
        first.send(request())
        assert 200 == first.answer()[0]
        with edge.connection() as second, edge.connection() as third:
            answer = third.head()
            assert (503, "close") == (answer.status, answer.headers["connection"])
            assert 1 <= int(answer.headers["retry-after"]) <= 5
            assert "x-should-retry" not in answer.headers
            assert b"too many connections are open; connect again in" in answer.read()
            assert b"" == third.sock.recv(1)
            assert refused.is_set()
            for client in (first, second):
                client.send(request())
                assert 200 == client.answer()[0]
        wait_for(lambda: edge.ask(request())[0] == 200)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_flood_of_connections_is_told_and_few_of_it_stay(loop):
    """As many as there is room for may take their time to leave; the others do not hold what is kept for other uses."""
    limits = replace(SWIFT, connections=1, told=1, linger_seconds=60)
    with alone(limits, loop=loop) as edge, edge.connection(), edge.connection() as told:
        assert 503 == told.answer()[0]
        for _ in range(5):
            with edge.connection() as client:
                assert [503] == [status for status, _ in client.answers()]
                wait_for(lambda: 2 == len(edge.server.server_state.connections))


def test_a_flood_of_connections_by_tls_is_hung_up_on(tmp_path):
    """Their proper end would wait for clients that may never answer."""
    certificate = issue(tmp_path)
    limits = replace(SWIFT, connections=1, told=0)
    trust = ssl.create_default_context(cafile=certificate.authority)
    settings = {"ssl_certfile": certificate.cert, "ssl_keyfile": certificate.key}
    with alone(limits, trust=trust, **settings) as edge, edge.connection(), edge.connection() as client:
        assert [] == client.answers()


class Looked:
    """A connection that is looked at, and says so."""

    def __init__(self, loop, seen):
        self.loop = loop
        self.check = lambda _now: seen.append("look")


@pytest.mark.anyio
async def test_a_crowd_is_looked_at_little_by_little():
    """However many are over their time at once, requests get their turns in between."""
    loop, seen, watch = asyncio.get_running_loop(), [], Watch(0.01)
    guards = [Looked(loop, seen) for _ in range(180)]
    for guard in guards:
        watch.add(guard)

    async with asyncio.timeout(20):
        while seen.count("look") < 180:
            seen.append("other")
            await asyncio.sleep(0)
    for guard in guards:
        watch.remove(guard)
    runs = [len(list(run)) for what, run in groupby(seen) if what == "look"]
    assert (50, 180) == (max(runs), sum(runs))


@pytest.fixture
def refused():
    """An event that something sets."""
    return threading.Event()
