"""The ledger of a chaos run's applications: each request is in it, with the way that it ended."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.client import Plan
from tests.chaos.traffic import Ended, Ledger, Traffic, percentile
from tests.gateway_process import wait_until

JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-pinion-release: desk@1.1.0\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 1\r\nConnection: close\r\n\r\nbusy"
STREAM = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "


def stream(text: bytes) -> bytes:
    """A whole answer with the text of a stream."""
    return STREAM + b"%d\r\n\r\n%b" % (len(text), text)


@contextmanager
def answering(answer: bytes, *, closes: bool = True) -> Iterator[str]:
    """A server that says the same to everybody, and hangs up or stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.recv(65_536)
                client.sendall(answer)
                kept.append(client)
                if closes:
                    client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for client in kept:
                client.close()


def asked(url: str, stream_every: int = 0, patience: float = 30.0) -> Ended:
    """The first request of some, as it ended."""
    with Traffic(Plan((url,), ("desk",), 20, "key", stream_every, keeps=False, patience=patience)) as traffic:
        wait_until(lambda: traffic.ledger.requests)
    return traffic.ledger.requests[0]


@pytest.mark.parametrize(
    ("answer", "streams", "ending", "status"),
    [
        (JSON, 0, "whole", 200),
        (BUSY, 0, "refused", 503),
        (JSON[:-1], 0, "cut", 200),
        (b"", 0, "unanswered", 0),
        (b"nonsense\r\n\r\n", 0, "unanswered", 0),
        (stream(b"data: {}\n\ndata: [DONE]\n\n"), 1, "whole", 200),
        (stream(b"data: {}\n\n"), 1, "cut", 200),
        (stream(b'data: {}\n\ndata: {"error": {}}\n\n'), 1, "error", 200),
    ],
)
def test_each_request_ends_in_one_way(answer, streams, ending, status):
    """A stream without its end is cut, however well it is framed."""
    with answering(answer) as url:
        found = asked(url, streams)
    assert (ending, status, bool(streams)) == (found.ending, found.status, found.stream)


def test_what_was_said_is_kept_of_what_went_wrong():
    """And whether there was a time to come back at; of what went well, who answered."""
    with answering(BUSY) as url:
        found = asked(url)
    assert ("busy", True) == (found.said, found.retry_after)
    with answering(JSON) as url:
        found = asked(url)
    assert ("", "desk@1.1.0") == (found.said, found.release)


def test_nobody_there_and_nobody_who_answers():
    """A refused connection is told at once, a silent one when its time is over."""
    assert "unreachable" == asked("http://127.0.0.1:1").ending
    with answering(b"", closes=False) as url:
        assert "stalled" == asked(url, patience=0.5).ending


def ended(at: float, ending: str = "whole", first: float = 0.1, status: int = 200) -> Ended:
    """A request as it ended."""
    return Ended(at, 0, "desk", False, status, "", False, first, 1.0, ending, "")


def test_a_ledger_is_counted():
    """By time, by endings, and in words."""
    ledger = Ledger([ended(1.0), ended(2.0, "cut"), ended(3.0, "refused", status=503), ended(4.0, first=0.3)])
    assert (1, 2, 2) == (ledger.failed, ledger.not_whole, len(ledger.sent(2.0, 4.0).requests))
    assert "4 requests, 1 cut, 1 refused 503" == ledger.told()
    assert "0 requests, 0 failed" == Ledger([]).told()
    assert 300.0 == ledger.p99_ms()
    assert 5.0 == ledger.requests[3].ended


def test_percentiles():
    """Of nothing it is nothing."""
    assert (0.0, 2, 4) == (percentile([], 99), percentile([1, 2, 3, 4], 25), percentile([4, 3, 2, 1], 99))
