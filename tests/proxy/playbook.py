"""Scripts of events for exchanges: fakes of the ports, and a small world to play in. No socket, no clock, no loop."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.control.breakers import Breakers
from gateway.core.app import App
from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import Salt
from gateway.core.digest import digest
from gateway.core.errors import RateLimited, UpstreamFault
from gateway.core.head import Head
from gateway.core.limit import Overrun
from gateway.core.model import ModelVersion
from gateway.core.ports import UpstreamRequest
from gateway.core.price import Price
from gateway.core.prompt import PromptVersion
from gateway.core.provider import Credential, Provider
from gateway.core.record import Record
from gateway.core.release import Release
from gateway.core.route import Canary, Route
from gateway.core.snapshot import Snapshot
from gateway.proxy.exchange import Exchange
from gateway.proxy.exchanges import Exchanges
from gateway.proxy.follow_ups import FollowUps
from gateway.proxy.surroundings import Surroundings


class Clock:
    """Port `Clock`, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now


class Downstream:
    """Port `Downstream`: keeps what was sent."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended: str | None = None

    def start(self, status, headers, length=None) -> None:
        assert self.status is None, "an answer starts once"
        self.status = status
        self.headers = {name.decode(): value.decode() for name, value in headers}
        if length is not None:
            self.headers["content-length"] = str(length)

    def write(self, data) -> None:
        assert (True, None) == (self.status is not None, self.ended), "a body comes between start and end"
        self.body += data

    def finish(self) -> None:
        assert (True, None) == (self.status is not None, self.ended), "a body comes between start and end"
        self.ended = "finished"

    def abort(self) -> None:
        assert self.ended is None
        self.ended = "aborted"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Call:
    """Port `UpstreamCall`, and the hand that plays the provider."""

    def __init__(self, request: UpstreamRequest, listener) -> None:
        self.request = request
        self.listener = listener
        self.cancelled = False
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def cancel(self) -> None:
        self.cancelled = True

    @property
    def json(self) -> Any:
        return json.loads(self.request.body)

    def head(self, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
        fields = [(b"content-type", content_type.encode())]
        fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.listener.upstream_head(status, fields)

    def data(self, data: bytes) -> None:
        self.listener.upstream_data(data)

    def end(self) -> None:
        self.listener.upstream_end()

    def fail(self, kind: str = "connect", message: str = "refused") -> None:
        self.listener.upstream_failed(UpstreamFault(kind, message))

    def stream(self, *events: bytes) -> None:
        """The head of a stream and its first events."""
        self.head(content_type="text/event-stream")
        for event in events:
            self.data(event)

    def answer(self, body: bytes | None = None, status: int = 200, **headers: str) -> None:
        """A whole answer at once."""
        self.head(status, **headers)
        self.data(completion() if body is None else body)
        self.end()


class Upstream:
    """Port `Upstream`: every call is played by hand."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def send(self, request, listener) -> Call:
        self.calls.append(Call(request, listener))
        return self.calls[-1]

    @property
    def last(self) -> Call:
        return self.calls[-1]


class Meters:
    """Port `Meters`: keeps the records."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.shadows: list[tuple[str, str, str]] = []
        self.over: list[tuple[str, str]] = []
        self.mismatches = 0
        self.withheld: list[tuple[str, str]] = []
        self.refusals: list[str] = []
        self.notifications: list[tuple[str, str]] = []

    def settle(self, record) -> None:
        self.records.append(record)

    def shadow(self, route, release, result) -> None:
        self.shadows.append((route, release, result))

    def rollback(self, route, reason) -> None: ...

    def mismatch(self, _route, _release) -> None:
        self.mismatches += 1

    def retry_withheld(self, route, release) -> None:
        self.withheld.append((route, release))

    def reload(self, result) -> None: ...

    def limited(self, app, kind) -> None:
        self.over.append((app, kind))

    def dropped(self, count) -> None: ...

    def refused(self, reason) -> None:
        self.refusals.append(reason)

    def notified(self, target, result, count=1) -> None:
        self.notifications += [(target, result)] * count


class Ledger:
    """Port `Ledger`: a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, record) -> None:
        self.records.append(record)


class Journal:
    """Port `Journal`: a list of (event, fields)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def event(self, name, /, *, level="info", **fields) -> None:
        self.events.append((name, {"level": level, **fields}))

    def request(self, record, message) -> None:
        said = {"message": message} if message else {}
        self.events.append(("request", {"level": "info", **record.summary(), **said}))


class ServedModels:
    """Port `ServedModels`: keeps what was seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None, str | None]] = []

    def saw(self, _route, release, served_model, fingerprint) -> None:
        self.seen.append((release.version, served_model, fingerprint))


class Denials:
    """Port `Denials`: keeps who was denied what, and why."""

    def __init__(self) -> None:
        self.denied: list[tuple[str, str | None, str]] = []
        self.credentials: list[bytes | None] = []

    def deny(self, operation, fault, app, credential) -> None:
        self.denied.append((operation, None if app is None else app.name, fault.why))
        self.credentials.append(credential)


class Judging:
    """Port `Judging`: keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[Record] = []

    def hear(self, record) -> None:
        self.heard.append(record)


class AppLimits:
    """Port `AppLimits`: refuses with what a test gives, and keeps what it was told."""

    def __init__(self) -> None:
        self.overrun: Overrun | None = None
        self.taken: list[tuple[str, float]] = []
        self.heard: list[Record] = []

    def take(self, app, now) -> None:
        if self.overrun is not None:
            raise RateLimited(app, self.overrun)
        self.taken.append((app, now))

    def hear(self, record) -> None:
        self.heard.append(record)


class Mirrors:
    """Port `Mirrors`: keeps what was offered."""

    def __init__(self) -> None:
        self.offers: list[str] = []

    def offer(self, _asked, request_id, _now) -> None:
        self.offers.append(request_id)


class Snapshots:
    """Port `Snapshots`: one that a test may change."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot


KEY = b"Bearer sk-test"


def provider(dialect: str = "openai", **changes: Any) -> Provider:
    """A provider on an address that nothing is ever sent to."""
    given = {
        "name": f"{dialect}-sim",
        "dialect": dialect,
        "base_url": "http://up.test/v1" if dialect == "openai" else "http://up.test",
        "credential": Credential("env:KEY", b"authorization", b"Bearer sk-provider"),
        "retries": 0,
    }
    return Provider(**{**given, **changes})


def prompt(version: str = "1.0.0", **changes: Any) -> PromptVersion:
    """A prompt with one input."""
    given = {
        "name": "support",
        "version": version,
        "text": "You help with {{product}}.",
        "inputs": {"product": "string"},
        "place": "system",
        "digest": digest(version),
    }
    return PromptVersion(**{**given, **changes})


def release(version: str, *, upstream_model: str | None = None, **changes: Any) -> Release:
    """A release of the route `desk`, priced at 1 and 2 dollars per million tokens."""
    name = upstream_model or f"atlas-{version}"
    source = changes.pop("provider", None) or provider()
    model = ModelVersion("atlas", version, source, name, name, digest(name), pricing=Price(1.0, 2.0))
    params = changes.pop("params", {})
    given = {
        "route": "desk",
        "version": version,
        "model": model,
        "prompt": None,
        "params": params,
        "context": {},
        "digest": digest(version),
        "encoded_params": {name: json.dumps(value).encode() for name, value in params.items()},
    }
    return Release(**{**given, **changes})


def route(*, canary_ppm: int | None = None, stable: Release | None = None, **changes: Any) -> Route:
    """The route `desk`: stable 1.0.0, and with `canary_ppm` the candidate 1.1.0."""
    stable = stable or release("1.0.0")
    candidate = changes.pop("candidate", None) or release("1.1.0", provider=stable.model.provider)
    canary = None if canary_ppm is None else Canary(candidate, canary_ppm, Salt("v1/test"), "rollout-1")
    releases = {stable.version: stable, candidate.version: candidate, **changes.pop("more", {})}
    given = {
        "name": "desk",
        "dialect": stable.model.provider.dialect,
        "releases": releases,
        "stable": stable,
        "canary": canary,
        "breaker": BreakerPolicy(),
    }
    return Route(**{**given, **changes})


def completion(text: str = "hello", **changes: Any) -> bytes:
    """A whole chat answer of the provider."""
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "atlas-1.0.0",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return json.dumps({**value, **changes}).encode()


def chunk(**changes: Any) -> bytes:
    """A chat stream event."""
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "atlas-1.0.0", "choices": [], **changes}
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """A chat stream event with one choice."""
    content = {} if text is None else {"content": text}
    return chunk(choices=[{"index": 0, "delta": content, "finish_reason": finish}], **more)


ROLE = chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
USAGE = chunk(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
DONE = b"data: [DONE]\n\n"


def named(kind: str, **said: Any) -> bytes:
    """An event with a name, as Messages and Responses send them."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **said}).encode())


STREAM = [ROLE, delta("hel"), delta("lo"), delta(finish="stop")]
MESSAGE_START = named(
    "message_start", message={"id": "msg_1", "model": "atlas-1.0.0", "usage": {"input_tokens": 7, "output_tokens": 1}}
)
BLOCK = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
OVERLOADED = named("error", error={"type": "overloaded_error", "message": "Overloaded"})
MESSAGE_STOP = named("message_stop")


@dataclass
class Play:
    """A world with one route, in which requests are played."""

    route: Route = field(default_factory=route)
    app: App = field(default_factory=lambda: App("helpdesk", None, may_force_release=True))

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.upstream = Upstream()
        self.meters, self.ledger, self.journal = Meters(), Ledger(), Journal()
        self.served, self.mirrors, self.judging, self.denials = ServedModels(), Mirrors(), Judging(), Denials()
        self.app_limits = AppLimits()
        self.trips: list[tuple[str, str, str]] = []
        self.snapshots = Snapshots(self._snapshot(self.route))
        self.breakers = Breakers(
            lambda: self.snapshots.current, lambda r, v, rule, _evidence: self.trip(r, v, rule), self.journal
        )
        self.follow_ups = FollowUps()
        self.drawn = 0.0
        self.ids = iter(f"req-{n}" for n in range(1, 10_000))
        self.around = Surroundings(
            snapshots=self.snapshots,
            breakers=self.breakers,
            served_models=self.served,
            mirrors=self.mirrors,
            judging=self.judging,
            denials=self.denials,
            app_limits=self.app_limits,
            upstream=self.upstream,
            meters=self.meters,
            ledger=self.ledger,
            journal=self.journal,
            clock=self.clock,
            new_id=lambda: next(self.ids),
            draw=lambda: self.drawn,
            follow_ups=self.follow_ups,
        )
        self.exchanges = Exchanges(self.around)

    def _snapshot(self, one: Route) -> Snapshot:
        keys = {hashlib.sha256(KEY.removeprefix(b"Bearer ")).digest(): self.app}
        return Snapshot(epoch=1, revision="r", routes={one.name: one}, keys=keys)

    def trip(self, name: str, version: str, rule: str) -> None:
        """What control does on a trip: the release is out from here on."""
        self.trips.append((name, version, rule))
        one = self.snapshots.current.routes[name]
        self.snapshots.current = self._snapshot(replace(one, out={**one.out, version: "rolled back"}))

    def open(
        self, path: str = "/v1/chat/completions", method: str = "POST", **headers: str
    ) -> tuple[Exchange, Downstream]:
        """Begin an exchange with its head; `headers` lie over the usual ones."""
        given = {"authorization": KEY.decode(), "content-type": "application/json", **headers}
        fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
        target, _, query = path.partition("?")
        downstream = Downstream()
        exchange = self.exchanges.open(downstream, Head(method, target, query.encode(), fields))
        return exchange, downstream

    def ask(
        self,
        *,
        path: str = "/v1/chat/completions",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> tuple[Exchange, Downstream]:
        """A whole request; `members` lie over a plain one."""
        exchange, downstream = self.open(path, **(headers or {}))
        if body is None:
            value = {"model": "desk", "messages": [{"role": "user", "content": "hi"}], **members}
            body = json.dumps({k: v for k, v in value.items() if v is not None}).encode()
        exchange.body(body)
        return exchange, downstream

    @property
    def record(self) -> Record:
        """The newest record."""
        return self.ledger.records[-1]


def anthropic_play(**changes: Any) -> Play:
    """A world whose route speaks Anthropic's dialect."""
    source = provider("anthropic")
    return Play(route(stable=release("1.0.0", provider=source), **changes))


def ask_messages(play: Play, **members: Any) -> tuple[Exchange, Downstream]:
    """A streamed request to Anthropic's endpoint."""
    return play.ask(path="/v1/messages", stream=True, max_tokens=9, **members)


def told(play: Play) -> list[tuple]:
    """What the breakers, by way of the record, were told of each attempt."""
    return [(tried.release, tried.track, tried.outcome, tried.status) for tried in play.record.attempts]
