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


def test_streams_longer_than_the_grace_are_told_to_come_again(tmp_path):
    """Without a second signal: each dialect's own end of a failed stream, a line of how many, and exit code 0."""
    with (
        running_gateway(tmp_path, None, "--drain-grace", "300ms") as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as chatting,
        anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as messaging,
        ThreadPoolExecutor(3) as readers,
    ):
        gateway.simulator.behave(hang="middle")
        chunks = chatting.chat.completions.create(model="support", messages=HELLO, stream=True)
        told = chatting.responses.create(model="support", input="hello", stream=True)
        events = messaging.messages.create(model="drafts", messages=HELLO, max_tokens=100, stream=True)
        chat, response, message = (readers.submit(list, stream) for stream in (chunks, told, events))
        gateway.process.send_signal(signal.SIGTERM)
        said = "the gateway is shutting down; send the request again"
        with pytest.raises(openai.APIError, match=said):
            chat.result(60)
        with pytest.raises(anthropic.APIStatusError, match=said):
            message.result(60)
        last = response.result(60)[-1]
        assert ("response.failed", said) == (last.type, last.response.error.message)
        assert 0 == gateway.ended()
        assert [3] == [event["ended"] for event in wait_until(lambda: gateway.events("drained"))]


def refuses_connections(url):
    """Whether nothing listens any more."""
    try:
        with Wire(url):
            return False
    except ConnectionRefusedError:
        return True
