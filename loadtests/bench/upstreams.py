"""The upstreams, on the core of the load: nginx for JSON, a script for events, each over plain TCP or TLS."""

import contextlib
import json
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from loadtests.bench.installs import Found
from loadtests.bench.nginx import upstream_configuration
from loadtests.bench.processes import LOAD_CORE, free_port, running, start, wait_for_port

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM: a key with its chain for loopback, and the authority to trust."""

    chain: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that runs: its port, and the authority to trust when it speaks TLS."""

    port: int
    trusted: Path | None = None

    @property
    def url(self) -> str:
        """Its address without a path."""
        return f"http{'s' if self.trusted else ''}://127.0.0.1:{self.port}"

    def events_written(self) -> int:
        """Ask the upstream of events how many it has written."""
        context = ssl.create_default_context(cafile=str(self.trusted)) if self.trusted else None
        with urllib.request.urlopen(f"{self.url}/", timeout=10, context=context) as answer:  # noqa: S310 - loopback
            return int(json.load(answer)["events"])


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate for loopback; they are new each time and worth nothing elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    made = Certificates(folder / "chain.pem", folder / "authority.pem")
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(made.chain))
    authority.cert_pem.write_to_path(str(made.authority))
    return made


@contextlib.contextmanager
def json_upstream(nginx: Found, folder: Path, certificates: Certificates | None = None) -> Iterator[Upstream]:
    """Run nginx as an upstream that answers every request with one completion."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    chain = certificates.chain if certificates else None
    configuration.write_text(upstream_configuration(folder, port, chain), encoding="utf-8")
    command = [str(nginx.program), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)]
    with running(start("upstream", command, folder, core=LOAD_CORE, environment=nginx.environment)) as process:
        wait_for_port(process, port)
        yield Upstream(port, certificates.authority if certificates else None)


@contextlib.contextmanager
def event_upstream(folder: Path, certificates: Certificates | None = None, pause: float = 0) -> Iterator[Upstream]:
    """Run the upstream of events; with `pause`, streams wait that many seconds after their first event."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.bench.event_upstream", "--port", str(port), "--pause", str(pause)]
    if certificates:
        command += ["--cert", str(certificates.chain)]
    environment = {"PYTHONPATH": str(ROOT)}
    with running(start("events", command, folder, core=LOAD_CORE, environment=environment)) as process:
        wait_for_port(process, port)
        yield Upstream(port, certificates.authority if certificates else None)
