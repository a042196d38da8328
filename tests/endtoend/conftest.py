"""One gateway for all end-to-end tests of a worker, and clients that call it."""

import anthropic
import httpx2
import openai
import pytest

from tests.endtoend.harness import KEY, World, policies
from tests.endtoend.verbatim import verbatim_provider
from tests.gateway_process import running_gateway


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A gateway with every kind of route, before a simulated provider and a verbatim one."""
    with (
        verbatim_provider() as verbatim,
        running_gateway(tmp_path_factory.mktemp("endtoend"), policies(verbatim.url)) as gateway,
        httpx2.Client(base_url=gateway.admin_url, timeout=30) as operations,
    ):
        yield World(gateway, verbatim, operations)


@pytest.fixture
def take(world):
    """Gives a route of a kind that no other test has."""
    return world.take


@pytest.fixture(scope="session")
def http(world):
    """A plain client of the applications' API, with a key that may call every route."""
    with httpx2.Client(base_url=world.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def openai_sdk(world):
    """OpenAI's SDK, not trying again by itself."""
    with openai.OpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def anthropic_sdk(world):
    """Anthropic's SDK, not trying again by itself."""
    with anthropic.Anthropic(base_url=world.url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client
