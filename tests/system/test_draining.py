"""A gateway that is told to stop."""

import signal

import httpx2

from tests.gateway_process import TLS, running_gateway, traced, wait_until
from tests.system.chatting import SIMULATED, STEADY_MODEL, chat, desk, open_stream

FILES = {"p.yaml": SIMULATED, "desk.yaml": desk()}


def readiness(gateway) -> tuple[int, str]:
    """What a load balancer is told."""
    answer = httpx2.get(f"{gateway.admin_url}/readyz", verify=TLS)
    return answer.status_code, answer.text


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
    """However long the grace: what is open gets its dialect's error."""
    with running_gateway(tmp_path, FILES, "--drain-grace", "1h", env=traced()) as gateway:
        gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
        with open_stream(gateway) as stream:
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: gateway.events("draining"))
            gateway.process.send_signal(signal.SIGTERM)
            assert "the gateway is shutting down; send the request again" in stream.result(60)
        assert 0 == gateway.ended()
        assert [1] == [event["ended"] for event in wait_until(lambda: gateway.events("drained"))]
