"""A gateway with more requests than may be under way: the next is refused by its head, and all else goes on."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.gateway_process import running_gateway, traced
from tests.system.chatting import SIMULATED, chat, desk, open_stream, sample

HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
)


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
