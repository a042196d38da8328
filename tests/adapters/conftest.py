"""What tests of several adapters ask for."""

from contextlib import closing

import pytest

from gateway.adapters.sql_engine import Database
from tests.adapters.certificates import issue
from tests.adapters.databases import PostgresPlace, SqlitePlace
from tests.adapters.edge_by_protocol import LOOPS, configured
from tests.adapters.edge_server import EdgeServer
from tests.adapters.webhook_receiver import Receiver
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that no system trusts."""
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def receiver(certificate):
    """A receiver of webhooks on loopback."""
    made = Receiver(certificate)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for all the tests of this process."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _place(request, tmp_path, schema):
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "a.db")
    return PostgresPlace(request.getfixturevalue("postgres"), schema)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where an empty store may be made, of each engine."""
    return _place(request, tmp_path, "store")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_place(request, tmp_path):
    """Where an empty ledger may be made, of each engine."""
    return _place(request, tmp_path, "ledger")


@pytest.fixture
def database(ledger_place):
    """An empty ledger's database, on either engine."""
    with closing(Database.open(ledger_place.url, "ledger")) as opened:
        yield opened


@pytest.fixture(scope="module", params=LOOPS)
def protocol_server(request):
    """One server with the protocol's edge for all tests of a module, on each loop."""
    with EdgeServer(configured, loop=LOOPS[request.param]) as running:
        yield running


@pytest.fixture
def edge(protocol_server):
    """The server with the protocol's edge, anew."""
    with protocol_server.fresh():
        yield protocol_server
