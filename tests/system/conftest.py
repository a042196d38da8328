"""The servers that whole gateways are tried with, each started where a test asks for it."""

import pytest

from gateway.simulator.server import running
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def simulator():
    """A provider for all gateways."""
    with running() as provider:
        yield provider


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL for all tests of a module."""
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@pytest.fixture
def redis():
    """A Redis of its own for each test."""
    with RedisServer() as made:
        yield made
