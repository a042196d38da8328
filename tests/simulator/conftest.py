"""A simulator for each test, and the clients that talk to it."""

import anthropic
import httpx2
import openai
import pytest

from gateway.simulator.server import running


@pytest.fixture
def sim():
    """A running simulator with no faults."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def http(sim):
    """A plain HTTP client of the simulator."""
    with httpx2.Client(base_url=sim.url, timeout=10) as client:
        yield client


@pytest.fixture
def openai_client(sim):
    """The official OpenAI client, without retries."""
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="sample", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def anthropic_client(sim):
    """The official Anthropic client, without retries."""
    with anthropic.Anthropic(base_url=sim.url, api_key="sample", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def chat():
    """The body of a chat request."""
    return {"model": "m-2026-01-15", "messages": [{"role": "user", "content": "say something plain"}]}
