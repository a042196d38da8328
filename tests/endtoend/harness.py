"""What the end-to-end tests play on: one gateway with many routes, so that every test has routes of its own.

A route is taken once and never given back. Its models are its own as well, so a test may make the provider fail, trip
breakers and count from zero without another test noticing.
"""

import hashlib
import json
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from gateway.simulator.journal import Received
from tests.endtoend.verbatim import Verbatim
from tests.gateway_process import SIMULATOR, GatewayProcess, wait_until

KEY = "pk-desk-5f1c0a"
FORCING_KEY = "pk-lab-77e2d4"
LIMITED_KEY = "pk-kiosk-20b9aa"

STABLE = "1.0.0"
OTHER = "0.9.0"
CANDIDATE = "1.1.0"

HELLO: Sequence[Mapping[str, Any]] = ({"role": "user", "content": "Where is my parcel?"},)

PRICE = {"input": 1, "cached_input": 0.1, "cache_write": 1.25, "cache_write_1h": 2, "output": 10}
"""US dollars per million tokens, of every model that has a price."""

MAX_BODY = 32 * 1024 * 1024
SMALL_POOL = 10

PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "openai": {},
    "wavering": {"retries": 1},
    "single": {"retries": 0},
    "hasty": {"retries": 0, "timeouts": {"first_byte": "400ms", "idle": "400ms", "total": "1500ms"}},
    "narrow": {"retries": 0, "max_connections": 1},
    "small": {"retries": 0, "max_connections": SMALL_POOL},
    "anthropic": {},
    "anthropic-single": {"retries": 0},
    "anthropic-hasty": {"retries": 0, "timeouts": {"first_byte": "400ms", "idle": "400ms", "total": "1500ms"}},
    "verbatim": {"retries": 0, "timeouts": {"idle": "2s"}},
}
"""Every provider is the simulator, apart from `verbatim`."""

PROMPT = """---
kind: prompt
name: helpdesk
version: 1.0.0
input: {product: string}
---
You answer questions on {{product}}. Be brief.
"""

RENDERED = "You answer questions on kettles. Be brief."
"""The prompt where `product` is `kettles`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of route: its provider, what its releases have beside a model, what the route has, and how many."""

    provider: str
    releases: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {STABLE: {}})
    keys: Mapping[str, Any] = field(default_factory=dict)
    price: Mapping[str, Any] | None = field(default_factory=lambda: PRICE)
    count: int = 15


PROMPTED = {STABLE: {"prompt": "helpdesk@1.0.0", "params": {"temperature": 0.2}}}
BACKED = {"releases": {STABLE: {}, OTHER: {}}, "keys": {"fallback": [OTHER]}}

KINDS: Mapping[str, Kind] = {
    "chat": Kind("openai", count=130),
    "wavering": Kind(
        "wavering",
        keys={"breaker": {"min_requests": 40, "failure_rate": 0.4, "consecutive": 100, "open": "5m"}},
        count=1,
    ),
    "unpriced": Kind("single", price=None),
    "prompted": Kind("single", PROMPTED),
    "backed": Kind("single", **BACKED, count=35),
    "hasty": Kind("hasty"),
    "narrow": Kind("narrow", count=2),
    "small": Kind("small", count=2),
    "canaried": Kind(
        "single",
        {STABLE: {}, CANDIDATE: {}},
        {"serve": CANDIDATE, "rollout": {"from": STABLE, "steps": [{"percent": 100, "hold": "1h"}]}},
        count=4,
    ),
    "mirrored": Kind(
        "single", {STABLE: {}, OTHER: {}}, {"shadow": {"release": OTHER, "percent": 100, "timeout": "1h"}}, count=4
    ),
    "messages": Kind("anthropic", count=78),
    "messages-prompted": Kind("anthropic-single", PROMPTED),
    "messages-backed": Kind("anthropic-single", **BACKED, count=35),
    "messages-hasty": Kind("anthropic-hasty"),
    "verbatim": Kind("verbatim"),
}

LIMITED_ROUTES = ("chat-001", "messages-001")
"""What `LIMITED_KEY` may call; they are never taken."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer read from a socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


class Wire:
    """A connection on which a test sends what bytes it likes."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes, as far as the other side still takes them: one that has refused need not read on."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def read_until(self, mark: bytes) -> bytes:
        """Read until `mark` has come.

        Raises:
            EOFError: the connection ended before.
        """
        data = b""
        while mark not in data:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(f"the connection ended after {data!r}")
            data += piece
        return data

    def read_all(self) -> bytes:
        """Read until the other side closes, or resets, the connection."""
        data = bytearray()
        try:
            while piece := self.socket.recv(1 << 16):
                data += piece
        except ConnectionResetError:
            pass
        return bytes(data)

    def answer(self) -> Head:
        """Read one whole answer from a connection that then closes."""
        head, _, body = self.read_all().partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        named = (line.partition(": ") for line in lines)
        return Head(int(first.split(" ")[1]), {name.lower(): value for name, _, value in named}, body)


def request(path: str, body: bytes = b"", *fields: str, key: str | None = KEY, method: str = "POST") -> bytes:
    """Write a request by hand that closes its connection; `fields` are further header lines."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Connection: close", "Content-Type: application/json"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    if not any(one.lower().startswith("transfer-encoding") for one in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1") + body


@dataclass
class World:
    """The gateway, its simulated provider, the one that says what it is told, and a client of the operations API."""

    gateway: GatewayProcess
    verbatim: Verbatim
    operations: httpx2.Client
    taken: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        """Where applications call."""
        return self.gateway.url

    def take(self, kind: str) -> "Route":
        """Give a route of a kind that no other test has.

        Raises:
            LookupError: there are no more; raise the kind's count.
        """
        self.taken[kind] += 1
        number = self.taken[kind] + sum(one.startswith(f"{kind}-") for one in LIMITED_ROUTES)
        if number > KINDS[kind].count:
            raise LookupError(f"no route of kind {kind} is left; raise its count in KINDS")
        return Route(self, f"{kind}-{number:03}", tuple(KINDS[kind].releases))

    def wire(self, **options: Any) -> Wire:
        """Open a connection to the gateway."""
        return Wire(self.url, **options)

    def ask(self, data: bytes) -> Head:
        """Send bytes on a connection of their own and read the one answer."""
        with self.wire() as wire:
            wire.send(data)
            return wire.answer()

    def metrics(self) -> list[str]:
        """The lines of all samples."""
        return [line for line in self.operations.get("/metrics").text.splitlines() if not line.startswith("#")]

    def open_requests(self) -> int:
        """How many requests are under way."""
        return self.operations.get("/admin/v1/status").json()["open_requests"]

    def memory(self, field_name: str) -> int:
        """A figure of the gateway's memory in bytes, such as VmRSS or VmHWM."""
        for line in self._of_process("status").splitlines():
            name, _, rest = line.partition(":")
            if name == field_name:
                return int(rest.split()[0]) * 1024
        raise LookupError(field_name)

    def forget_peak(self) -> None:
        """Let VmHWM begin anew at what is in use now."""
        with open(f"/proc/{self.gateway.process.pid}/clear_refs", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("5")

    def _of_process(self, name: str) -> str:
        with open(f"/proc/{self.gateway.process.pid}/{name}", encoding="ascii") as file:  # noqa: PTH123
            return file.read()


@dataclass(frozen=True)
class Route:
    """A route that one test has for itself."""

    world: World
    name: str
    versions: tuple[str, ...]

    def model(self, version: str = STABLE) -> str:
        """The upstream model of a release."""
        return upstream_model(self.name, version)

    def behave(self, version: str = STABLE, **faults: Any) -> None:
        """Change how the provider treats a release's model."""
        self.world.gateway.simulator.behave_model(self.model(version), **faults)

    def received(self, version: str = STABLE) -> list[Received]:
        """What the provider received for a release, in order."""
        return self._mine(self.world.gateway.simulator.requests(), version)

    def only(self, version: str = STABLE) -> Received:
        """The one request that the provider received for a release."""
        (one,) = self.received(version)
        return one

    def wait(self, condition: Callable[[list[Received]], Any], version: str = STABLE) -> list[Received]:
        """Wait until what the provider received for a release meets a condition."""
        simulator = self.world.gateway.simulator
        return self._mine(simulator.wait(lambda them: bool(condition(self._mine(them, version))), 10.0), version)

    def left(self, version: str = STABLE) -> None:
        """Wait until the provider's one request has lost its client."""
        self.wait(lambda them: [one.aborted for one in them] == [True], version)

    def events(self) -> list[dict[str, Any]]:
        """The log's lines on requests to this route."""
        told = [json.loads(line) for line in list(self.world.gateway.log) if f'"{self.name}"' in line]
        return [event for event in told if event["event"] == "request"]

    def ending(self) -> dict[str, Any]:
        """The log's line on the one request to this route, once it has ended and is counted."""
        wait_until(self.events)
        (one,) = self.events()
        return one

    def count(self, metric: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels, for this route."""
        told = [line for line in self.world.metrics() if f'route="{self.name}"' in line]
        return sum(
            sample.value
            for family in text_string_to_metric_families("\n".join(told) + "\n")
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def body(self, **fields: Any) -> dict[str, Any]:
        """A request for this route that fits the chat and the Messages endpoint."""
        return {"model": self.name, "messages": list(HELLO), "max_tokens": 100, **fields}

    def _mine(self, received: Sequence[Received], version: str) -> list[Received]:
        model = self.model(version)
        return [one for one in received if one.model == model]


def upstream_model(route: str, version: str) -> str:
    """The name at the provider of the model of a route's release."""
    return f"{route}-v{version.replace('.', '')}-2026-01-15"


def policies(verbatim_url: str) -> dict[str, str]:
    """The policy set: every kind's routes, the applications, the prompt."""
    documents = [_provider(name, own, verbatim_url) for name, own in PROVIDERS.items()]
    documents += [_app("desk", KEY), _app("lab", FORCING_KEY, may_force_release=True)]
    documents.append(_app("kiosk", LIMITED_KEY, routes=list(LIMITED_ROUTES)))
    for kind_name, kind in KINDS.items():
        for number in range(1, kind.count + 1):
            documents += _route(f"{kind_name}-{number:03}", kind)
    return {"all.yaml": "\n---\n".join(map(json.dumps, documents)), "helpdesk.prompt": PROMPT}


def _provider(name: str, own: Mapping[str, Any], verbatim_url: str) -> dict[str, Any]:
    is_anthropic = name.startswith("anthropic")
    address = verbatim_url if name == "verbatim" else SIMULATOR
    credential = "ANTHROPIC_API_KEY" if is_anthropic else "OPENAI_API_KEY"
    return {
        "kind": "provider",
        "name": name,
        "dialect": "anthropic" if is_anthropic else "openai",
        "base_url": address if is_anthropic else f"{address}/v1",
        "credential": {"env": credential},
        **own,
    }


def _app(name: str, key: str, **own: Any) -> dict[str, Any]:
    return {"kind": "app", "name": name, "keys": [{"sha256": hashlib.sha256(key.encode()).hexdigest()}], **own}


def _route(name: str, kind: Kind) -> list[dict[str, Any]]:
    """A route, and the model of each of its releases."""
    models = []
    releases = {}
    for version, own in kind.releases.items():
        model = f"{name}-v{version.replace('.', '')}"
        upstream: dict[str, Any] = {"upstream_model": upstream_model(name, version)}
        if kind.price is not None:
            upstream["price"] = kind.price
        models.append({"kind": "model", "name": model, "provider": kind.provider, "versions": {"2026-01-15": upstream}})
        releases[version] = {"model": f"{model}@2026-01-15", **own}
    return [*models, {"kind": "route", "name": name, "releases": releases, "serve": STABLE, **kind.keys}]
