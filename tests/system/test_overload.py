"""A gateway with more than it can hold: what is too much is refused in words, and all else goes on."""

import socket
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx2

from tests.gateway_process import SERVE, GatewayProcess, running_gateway, wait_until
from tests.system.chatting import SIMULATED, chat, desk, open_stream, sample
from tests.tracing import traced

HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
)


FEW = (
    "-c",
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256));"
    " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
    *SERVE,
)
"""`pinion serve` where the system allows 256 descriptors, and half of them unless asked for more."""


def answer_to_a_head(url: str) -> bytes:
    """What is answered to a head whose body never comes, up to the close."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as client:
        client.sendall(HEAD)
        said = b""
        while piece := client.recv(65_536):
            said += piece
        return said


def test_one_request_too_many_is_refused_before_its_body_and_the_rest_goes_on(tmp_path):
    """With a time to come back at; operators see it all, and the gateway stays ready."""
    files = {"p.yaml": SIMULATED, "desk.yaml": desk()}
    more = ("--max-requests", "2", "--drain-grace", "1s")
    with running_gateway(tmp_path, files, *more, env=traced()) as gateway, ExitStack() as streams:
        gateway.simulator.behave(hang="middle")
        for _ in range(2):
            streams.enter_context(open_stream(gateway))
        head, _, body = answer_to_a_head(gateway.url).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"too many requests are under way" in body
        waits = [line for line in head.split(b"\r\n") if line.lower().startswith(b"retry-after: ")]
        assert [True] == [1 <= int(line.split()[-1]) <= 5 for line in waits]
        assert 503 == chat(gateway).status_code
        assert (2, True) == (gateway.status()["open_requests"], gateway.status()["ready"])
        assert 2.0 == sample(gateway.metrics(), "pinion_refused_total", reason="overload")
        gateway.stop()


def test_silent_connections_do_not_take_the_last_descriptors(tmp_path):
    """Operators are answered, applications told, no release is blamed; once they leave, all is as before."""
    files = {"p.yaml": SIMULATED, "desk.yaml": desk()}
    more = ("--drain-grace", "1s")
    with running_gateway(tmp_path, files, *more, program=FEW, env=traced()) as gateway, ExitStack() as strangers:
        (told,) = gateway.events("few_descriptors")
        assert "78 requests are let in at once" in told["message"]
        assert 200 == chat(gateway).status_code
        place = urlsplit(gateway.url)
        for _ in range(400):
            stranger = socket.create_connection((place.hostname, place.port), timeout=60)
            strangers.enter_context(closing(stranger))
        answered = {answer_or_none(gateway) for _ in range(20)}
        assert answered <= {200, 503, None}
        assert 503 in answered
        assert gateway.status()["ready"]
        assert 0.0 < sample(gateway.metrics(), "pinion_refused_total", reason="connections")
        strangers.close()
        wait_until(lambda: answer_or_none(gateway) == 200)
        assert 0.0 == sample(gateway.metrics(), "pinion_breaker_open", route="desk", release="1.0.0")
        outcomes = {event["outcome"] for event in gateway.events("request")}
        assert {"ok"} == outcomes
        gateway.stop()


def answer_or_none(gateway: GatewayProcess) -> int | None:
    """The status that a request is answered with; nothing, where its connection is hung up on."""
    try:
        return chat(gateway).status_code
    except httpx2.TransportError:
        return None
