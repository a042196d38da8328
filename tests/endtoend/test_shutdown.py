"""A gateway that is told to end while streams are open."""

import signal
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest

from tests.endtoend.harness import HELLO, Wire
from tests.gateway_process import running_gateway, wait_until

ENDING = "gpt-4o-2024-08-06"
STAYING = "claude-sonnet-4-5-20250929"
"""The upstream models of the sample's two routes."""


def test_open_streams_end_whole_or_are_told(tmp_path):
    """Nothing new is taken and an open stream ends as ever; told to hurry, the gateway tells those that are left."""
    with (
        running_gateway(tmp_path) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as ending,
        anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as staying,
        ThreadPoolExecutor(2) as readers,
    ):
        for model in (ENDING, STAYING):
            gateway.simulator.behave_model(model, hang="middle")
        chunks = ending.chat.completions.create(model="support", messages=HELLO, stream=True)
        events = staying.messages.create(model="drafts", messages=HELLO, max_tokens=100, stream=True)
        whole, cut = readers.submit(list, chunks), readers.submit(list, events)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.events("draining"))
        wait_until(lambda: refuses_connections(gateway.url))
        gateway.simulator.behave_model(ENDING, hang=None)
        assert "stop" == whole.result(60)[-1].choices[0].finish_reason
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(anthropic.APIStatusError, match="shutting down"):
            cut.result(60)
        assert 0 == gateway.stop()


def refuses_connections(url):
    """Whether nothing listens any more."""
    try:
        with Wire(url):
            return False
    except ConnectionRefusedError:
        return True
