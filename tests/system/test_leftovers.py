"""What a request or a connection was made of goes when it ends: nothing of it waits for a collection.

The gateway seldom makes one of what has lived long, as a long stream has.
"""

import json
import signal
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.gateway_process import SIMULATOR, running_gateway, wait_until

MODEL = "gpt-4o-2024-08-06"
TIMES = 3

POLICIES = f"""
kind: provider
name: openai
dialect: openai
base_url: {SIMULATOR}/v1
credential: {{env: OPENAI_API_KEY}}
retries: 0
timeouts: {{idle: 300ms}}
---
kind: provider
name: gone
dialect: openai
base_url: http://127.0.0.1:9/v1
credential: {{env: OPENAI_API_KEY}}
---
kind: prompt
name: desk
version: 1.0.0
input: {{product: string}}
text: "You answer questions on {{{{product}}}}."
---
kind: route
name: support
releases:
  "1.0.0": {{model: openai/{MODEL}}}
  "1.1.0": {{model: openai/gpt-4o-mini-2024-07-18}}
serve: "1.0.0"
shadow: {{release: "1.1.0", percent: 100}}
---
kind: route
name: prompted
releases: {{"1.0.0": {{model: openai/{MODEL}, prompt: desk@1.0.0}}}}
serve: "1.0.0"
---
kind: route
name: unreachable
releases: {{"1.0.0": {{model: gone/gpt-4.1-2025-04-14}}}}
serve: "1.0.0"
"""

FAULTS = [
    {},
    {"error_rate": 1.0, "error_status": 503},
    {"cut_head": True},
    {"cut_event": 2},
    {"malformed": "json"},
    {"hang": "middle"},
    {"encoding": "gzip"},
    {"stream_error": {"after": 1}},
]


def ask(client, model="support", **fields):
    """Ask as an application does, read what comes, and mind no failure: each is told in its own test."""
    body = {"model": model, "messages": [{"role": "user", "content": "Where is it?"}], **fields}
    with suppress(httpx2.HTTPError):
        client.post("/v1/chat/completions", json=body)


def leave(client, url):
    """Leave within the answer, within the body, within the head, and without having said anything."""
    body = {"model": "support", "messages": [{"role": "user", "content": "Go on."}], "stream": True}
    with suppress(httpx2.HTTPError), client.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_raw())
    where = (urlsplit(url).hostname, urlsplit(url).port)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n"
    for said in (head + b'{"mod', head[:20], b""):
        with socket.create_connection(where, timeout=10) as connection:
            connection.sendall(said)


@pytest.fixture
def hoarder(tmp_path):
    """A gateway that keeps what only a collection would free, before a simulated provider."""
    program = ("-m", "tests.system.hoarding_gateway")
    with running_gateway(tmp_path, {"all.yaml": POLICIES}, program=program) as gateway:
        yield gateway


def test_no_request_leaves_anything_to_be_collected(hoarder):
    """Whole, streamed, failed in every way, left by its client, refused, or copied to a shadow."""
    with httpx2.Client(base_url=hoarder.url, timeout=30) as client:
        for fault in FAULTS:
            hoarder.simulator.behave(**fault)
            for _ in range(TIMES):
                ask(client)
                ask(client, stream=True)
                leave(client, hoarder.url)
            hoarder.simulator.behave(**dict.fromkeys(fault))
        for _ in range(TIMES):
            ask(client, "unreachable")
            ask(client, "prompted")
            ask(client, "nothing")
            client.post("/v1/chat/completions", content=b"{")
    wait_until(lambda: "pinion_open_requests 0.0" in hoarder.metrics())

    hoarder.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: len(hoarder.said) > 1)
    assert {} == json.loads(hoarder.said[-1])
