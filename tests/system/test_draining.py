"""A gateway that is told to stop."""

import signal
import sqlite3
from contextlib import closing

import httpx2

from tests.gateway_process import TLS, running_gateway, wait_until
from tests.system.chatting import SIMULATED, STEADY_MODEL, chat, desk, open_stream
from tests.tracing import traced

FILES = {"p.yaml": SIMULATED, "desk.yaml": desk()}


def readiness(gateway) -> tuple[int, str]:
    """What a load balancer is told."""
    answer = httpx2.get(f"{gateway.admin_url}/readyz", verify=TLS)
    return answer.status_code, answer.text


def kept(database, question: str) -> list[tuple]:
    """What a database holds once nobody has it."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(question).fetchall()


def test_readiness_goes_first_and_requests_are_still_taken(tmp_path):
    """A load balancer has time to look away; an open stream ends whole; the operations API answers all the while.

    A connection that a client keeps is closed with its next answer, which says so, and not while a request comes.
    """
    with running_gateway(tmp_path, FILES, "--drain-delay", "60s") as gateway:
        assert (200, "ready\n") == readiness(gateway)
        gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
        with open_stream(gateway) as stream:
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: readiness(gateway) == (503, "draining\n"))
            gateway.simulator.behave_model(STEADY_MODEL, hang=None)
            answer = chat(gateway)
            assert (200, "close") == (answer.status_code, answer.headers["connection"])
            assert not gateway.status()["ready"]
            assert stream.result(60).endswith("data: [DONE]\n\n")
            gateway.process.send_signal(signal.SIGTERM)
        assert 0 == gateway.ended()


def test_a_second_signal_ends_at_once_with_a_clear_word(tmp_path):
    """However long the grace: what is open gets its dialect's error, and what is to be recorded is recorded first."""
    more = {**traced(), "PINION_ADMIN_TOKEN": "a-token-of-some-length"}
    with running_gateway(tmp_path, FILES, "--drain-grace", "1h", env=more) as gateway:
        gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
        with open_stream(gateway) as stream:
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: gateway.events("draining"))
            assert 401 == httpx2.get(f"{gateway.admin_url}/admin/v1/status", verify=TLS).status_code
            gateway.process.send_signal(signal.SIGTERM)
            assert "the gateway is shutting down; send the request again" in stream.result(60)
        assert 0 == gateway.ended()
        assert [1] == [event["ended"] for event in wait_until(lambda: gateway.events("drained"))]
    denied = "select count(*) from audit_entries where cast(bytes as text) like '%access.denied%'"
    assert [(1,)] == kept(tmp_path / "pinion.db", denied)
    assert [("gateway_fault",)] == kept(tmp_path / "pinion-ledger.db", "select outcome from requests")
