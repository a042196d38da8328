"""TLS towards applications and providers, and an egress proxy."""

import ssl

import httpx2
import pytest

from gateway.simulator.server import running
from tests.adapters.certificates import issue
from tests.gateway_process import running_gateway
from tests.system.chatting import chat, desk, said
from tests.system.relays import relaying


def provider(port: int, more: str) -> str:
    """The provider behind the TLS listener."""
    return f"kind: provider\nname: openai\ndialect: openai\nbase_url: https://localhost:{port}/v1\nretries: 0\n{more}"


def test_applications_come_by_tls_and_requests_leave_by_the_proxy_to_a_private_authority(tmp_path):
    """The listener shows its certificate; the provider's is judged by its own authority, through CONNECT."""
    certificate = issue(tmp_path)
    listener = ("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    with (
        running() as simulator,
        relaying(("127.0.0.1", simulator.port), certificate.server_context()) as private,
        relaying(None) as proxy,
    ):
        way = f"ca_file: {certificate.authority}\nproxy: http://127.0.0.1:{proxy.port}\n"
        files = {"p.yaml": provider(private.port, way), "desk.yaml": desk()}
        with running_gateway(tmp_path, files, *listener, simulator=simulator) as gateway:
            assert gateway.url.startswith("https://")
            trusting = ssl.create_default_context(cafile=certificate.authority)
            with httpx2.Client(verify=trusting, base_url=gateway.url.replace("127.0.0.1", "localhost")) as client:
                assert 200 == client.post("/v1/chat/completions", json=said("desk")).status_code
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx2.get(f"{gateway.url}/v1/models")
            assert f"CONNECT localhost:{private.port} HTTP/1.1" == proxy.asked[0]
            assert 1 == len(simulator.requests())


def test_a_provider_of_an_unknown_authority_gets_nothing(tmp_path):
    """Its certificate is judged before a byte of the request leaves, and the reason is told to the client."""
    certificate = issue(tmp_path)
    with (
        running() as simulator,
        relaying(("127.0.0.1", simulator.port), certificate.server_context()) as private,
        running_gateway(
            tmp_path, {"p.yaml": provider(private.port, ""), "desk.yaml": desk()}, simulator=simulator
        ) as gateway,
    ):
        answer = chat(gateway)
        assert 502 == answer.status_code
        assert "provider openai cannot be reached" in answer.json()["error"]["message"]
        assert [] == simulator.requests()
