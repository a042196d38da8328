"""The exchange behind plain ASGI."""

from functools import partial

import anyio
import pytest
import uvicorn

from gateway.adapters import edge_asgi
from gateway.adapters.edge_asgi import AsgiEdge
from gateway.adapters.edge_guard import Limits, guarded
from gateway.core.errors import ClientFault
from tests.adapters.edge_contract import EdgeContract
from tests.adapters.edge_server import CHUNKED, EdgeServer, others, request, wait_for
from tests.adapters.edge_stage import Stage, echo, nothing
from tests.adapters.smuggling import CORPUS, has_one_meaning


def configured(stage: Stage, http="httptools") -> uvicorn.Config:
    """A server with the ASGI edge, by whatever protocol."""
    return uvicorn.Config(
        AsgiEdge(stage, others),
        port=0,
        http=http,
        log_config=None,
        ws="none",
        lifespan="off",
    )


@pytest.fixture(scope="module")
def server():
    """One server for all tests."""
    with EdgeServer(configured) as running:
        yield running


@pytest.fixture
def edge(server):
    """The server, anew."""
    with server.fresh():
        yield server


class TestAsgiEdge(EdgeContract):
    """The contract."""

    def test_a_body_that_stops_coming_is_refused(self, edge, monkeypatch):
        """Silence has a limit, and the message says how much came of how much."""
        monkeypatch.setattr(edge_asgi, "BODY_SILENCE_SECONDS", 0.05)
        status, message = edge.ask(request(b"half", length=100))

        assert (408, b"the body did not arrive in time (4 of 100 bytes); send it faster") == (status, message)
        assert ["refused"] == edge.exchange.events

    def test_a_body_that_trickles_is_refused(self, edge, monkeypatch):
        """The whole of it has a limit, too."""
        monkeypatch.setattr(edge_asgi, "BODY_SECONDS", 0.05)
        status, message = edge.ask(CHUNKED, b"1\r\nx\r\n")

        assert (408, True) == (status, message.startswith(b"the body did not arrive in time (1 of the whole bytes)"))

    def test_the_end_of_an_answer_is_not_kept_for_ever(self, edge, monkeypatch):
        """A client that never reads it is given up after a while."""
        monkeypatch.setattr(edge_asgi, "UNREAD_SECONDS", 0.05)
        edge.stage.script = lambda exchange: exchange.answer(200, b"x" * (16 << 20))
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            wait_for(lambda: edge.stage.closed)
        assert 1 == len(edge.stage.closed)


@pytest.fixture(scope="module")
def guarded_server():
    """One server behind the guard."""
    limits = Limits(sweep_seconds=0.05, linger_seconds=0.05)
    with EdgeServer(partial(configured, http=guarded(limits))) as running:
        yield running


class TestGuardedAsgiEdge(EdgeContract):
    """The contract, behind the guard, which strangers meet first."""

    @pytest.fixture
    def edge(self, guarded_server):
        """The server, anew."""
        with guarded_server.fresh():
            yield guarded_server

    @pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
    def test_a_message_has_one_meaning_or_none(self, edge, case):
        """What an ambiguous message says is not guessed, and its rest is no request."""
        has_one_meaning(edge, case, apart=False)


class Played:
    """An ASGI server's side, by hand."""

    def __init__(self, path="/v1/chat/completions") -> None:
        self.stage = Stage()
        self.sent = []
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
        }
        self.arriving = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive(self):
        if self.arriving:
            return self.arriving.pop(0)
        return await anyio.sleep_forever()

    async def send(self, message):
        self.sent.append(message)

    def run(self, others=others):
        return AsgiEdge(self.stage, others)(self.scope, self.receive, self.send)


@pytest.mark.anyio
async def test_a_scope_without_a_raw_path_has_its_path():
    """Some servers give no raw path."""
    played = Played()
    del played.scope["raw_path"]
    await played.run()

    assert b"{}" == b"".join(message.get("body", b"") for message in played.sent)


@pytest.mark.anyio
async def test_what_is_not_http_goes_to_the_others():
    """Lifespan, say."""
    seen = []

    async def others(scope, _receive, _send):
        seen.append(scope["type"])

    played = Played()
    played.scope["type"] = "lifespan"
    await played.run(others)

    assert ["lifespan"] == seen


@pytest.mark.anyio
async def test_what_still_comes_after_a_refusal_is_passed_over_until_the_client_leaves():
    """While the refusal waits to be read, the rest of the body is received, and then the client's leaving."""
    played = Played()
    played.stage.refusal = ClientFault("who are you")
    played.arriving.append({"type": "http.disconnect"})

    async def stalled(_message):
        await anyio.sleep_forever()

    played.send = stalled
    with anyio.move_on_after(0.05):
        await played.run()

    assert ["refused", "gone"] == played.stage.opened[0].events


@pytest.mark.anyio
async def test_a_server_that_cancels_ends_the_exchange():
    """At the end of a server's patience, nothing is left behind."""
    played = Played()
    played.stage.script = nothing
    with anyio.move_on_after(0.05):
        await played.run()

    assert played.stage.opened == played.stage.closed


@pytest.mark.anyio
async def test_a_server_that_cancels_a_send_is_obeyed():
    """What waits for a client is cancelled, too, and not taken for a cut of the exchange's own."""
    played = Played()
    played.stage.script = echo

    async def stalled(_message):
        await anyio.sleep_forever()

    played.send = stalled
    with anyio.move_on_after(0.05) as scope:
        await played.run()

    assert scope.cancelled_caught
    assert played.stage.opened == played.stage.closed
