"""Beside the way: a sampled copy of what stable answered, sent to the shadow release and thrown away.

Nothing here may touch the request it copies: the queue is bounded and drops, the transport is its own, and a client
that leaves does not end its copy.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from gateway.core.errors import ClientFault, UpstreamFault
from gateway.core.outcome import Outcome, classify_status
from gateway.core.ports import (
    Clock,
    Headers,
    Journal,
    Ledger,
    Meters,
    Upstream,
    UpstreamCall,
    UpstreamRequest,
)
from gateway.core.price import UNKNOWN_COST
from gateway.core.record import REVISION_DIGITS, Record, Tried
from gateway.core.route import Route, Shadow
from gateway.proxy.admission import Asked
from gateway.proxy.attempts import fault_failure
from gateway.proxy.output_schema import follows_schema
from gateway.proxy.settlement import upstream_id
from gateway.proxy.shaping import Shaped, shape
from gateway.proxy.surroundings import Judging
from gateway.wire import compression, headers, json_body
from gateway.wire.answer_text import whole_text
from gateway.wire.dialect import Scan
from gateway.wire.dialects import DIALECTS

MAX_ACTIVE = 64
MAX_QUEUED = 256
MAX_ANSWER = 16 << 20

_STATEFUL_FIELDS = ("previous_response_id", "conversation", "container")
"""A request that leans on state at the provider cannot be answered by another release."""

_STRIPPED_FIELDS = (
    "store",
    "background",
    "metadata",
    "web_search_options",
    "mcp_servers",
    "stream",
    "stream_options",
)
"""What would leave a trace at the provider or act on the world. Copies are never streamed."""

_CLIENT_TOOL_TYPES = ("function", "custom")


class Mirror:
    """The shadow traffic of one process.

    `upstream` is a transport of its own. Results counted: ok, failed, timeout, invalid (the answer breaks the prompt's
    output schema), dropped (no room), too_large, stateful, over_budget.
    """

    def __init__(
        self, upstream: Upstream, meters: Meters, ledger: Ledger, judging: Judging, journal: Journal, clock: Clock
    ) -> None:
        self._upstream = upstream
        self._meters = meters
        self._ledger = ledger
        self._judging = judging
        self._journal = journal
        self._clock = clock
        self._queue: deque[Copy] = deque()
        self._active: set[Copy] = set()
        self._spent: dict[tuple[str, str], tuple[int, float]] = {}
        self._draining = False

    def __repr__(self) -> str:
        return f"<Mirror {len(self._active)} active, {len(self._queue)} queued>"

    def __len__(self) -> int:
        return len(self._active) + len(self._queue)

    def offer(self, asked: Asked, request_id: str, now: float) -> None:
        """Take a request that stable has answered, if it is sampled and there is room.

        A count of tokens is none: it says nothing of what the shadow would answer.
        """
        shadow = asked.route.shadow
        if shadow is None or self._draining or (asked.route.is_out(shadow.release) and not shadow.is_step):
            return
        if asked.caller.endpoint.name == "count_tokens":
            return
        if shadow.salt.bucket(request_id) >= shadow.ppm:
            return
        refusal = self._refusal(asked, shadow)
        if refusal is not None:
            self._count(asked.route, shadow, refusal)
            return
        self._queue.append(Copy(self, asked, shadow, request_id))
        self._start_queued(now)

    def tick(self, now: float) -> None:
        """Give up copies that are over their time, and start what waits."""
        for copy in tuple(self._active):
            if now - copy.sent_at > copy.shadow.timeout:
                copy.give_up("timeout")
        self._start_queued(now)

    def drain(self) -> None:
        """Take nothing more and drop what waits; what is under way may end."""
        self._draining = True
        for copy in self._queue:
            self._count(copy.asked.route, copy.shadow, "dropped")
        self._queue.clear()

    def _refusal(self, asked: Asked, shadow: Shadow) -> str | None:
        if len(asked.body) > shadow.max_body:
            return "too_large"
        if any(asked.parsed.get(name) is not None for name in _STATEFUL_FIELDS):
            return "stateful"
        if shadow.daily_budget_usd is not None and self._spent_today(asked.route, shadow) >= shadow.daily_budget_usd:
            return "over_budget"
        return "dropped" if len(self._queue) >= MAX_QUEUED else None

    def _count(self, route: Route, shadow: Shadow, result: str) -> None:
        self._meters.shadow(route.name, shadow.release.version, result)

    def _start_queued(self, now: float) -> None:
        while self._queue and len(self._active) < MAX_ACTIVE:
            copy = self._queue.popleft()
            try:
                shaped = _shadow_request(copy.asked, copy.shadow)
            except ClientFault:
                # What stable took, the shadow's prompt cannot: its inputs differ. That is a finding, not an accident.
                self._count(copy.asked.route, copy.shadow, "failed")
                continue
            self._active.add(copy)
            copy.send(self._upstream, shaped, now)

    def _spent_today(self, route: Route, shadow: Shadow) -> float:
        day, usd = self._spent.get((route.name, shadow.release.version), (0, 0.0))
        return usd if day == self._today() else 0.0

    def _spend(self, copy: "Copy", record: Record) -> None:
        """Add a copy's cost to today's. One that is not known might be any, so it uses a budget up."""
        unknown = math.inf if 200 <= record.status < 300 else 0.0
        usd = unknown if record.cost_usd is None else record.cost_usd
        spent = self._spent_today(copy.asked.route, copy.shadow) + usd
        self._spent[copy.asked.route.name, copy.shadow.release.version] = (self._today(), spent)

    def _today(self) -> int:
        return int(self._clock.wall() // 86_400)

    def ended(self, copy: "Copy", scan: Scan | None, outcome: Outcome, result: str, answer: bytes) -> None:
        """A copy has ended: record it, apart from everything that its application sees."""
        self._active.discard(copy)
        now, at = self._clock.monotonic(), self._clock.wall()
        valid = _schema_valid(copy, answer) if outcome is Outcome.ok else None
        record = _record(copy, scan, outcome, valid=valid, seconds=now - copy.sent_at, at=at)
        self._count(copy.asked.route, copy.shadow, "invalid" if valid is False else result)
        self._meters.settle(record)
        self._ledger.append(record)
        self._judging.hear(record)
        self._spend(copy, record)
        self._journal.event(
            "shadow",
            request_id=record.request_id,
            route=record.route,
            release=record.release,
            outcome=record.outcome,
            status=record.status,
            seconds=round(record.seconds, 6),
            schema_valid=valid,
        )
        self._start_queued(now)


class Copy:
    """One mirrored request under way; hears the shadow's provider. `call` is its request there, while that lasts."""

    def __init__(self, mirror: Mirror, asked: Asked, shadow: Shadow, request_id: str) -> None:
        self._mirror: Mirror | None = mirror
        self.call: UpstreamCall | None = None
        self.asked = asked
        self.shadow = shadow
        self.request_id = request_id
        self.sent_at = 0.0
        self.prompt_digest: str | None = None
        self.status = 0
        self.headers: Headers = []
        self._body = bytearray()

    def send(self, upstream: Upstream, shaped: Shaped, now: float) -> None:
        """Send the copy."""
        self.sent_at = now
        self.prompt_digest = shaped.prompt_digest
        self.call = upstream.send(shaped.request, self)

    def give_up(self, result: str) -> None:
        """The copy is over its time, or its answer over all measure."""
        if self.call is not None:
            self.call.cancel()
        self._end(None, Outcome.failed, result)

    def upstream_head(self, status: int, headers: Headers) -> None:
        """The status and headers have come."""
        self.status, self.headers = status, headers

    def upstream_data(self, data: bytes) -> None:
        """A piece of the answer has come; it is kept only to be read."""
        self._body += data
        if len(self._body) > MAX_ANSWER:
            self.give_up("failed")

    def upstream_end(self) -> None:
        """The answer is complete."""
        if not 200 <= self.status < 300:
            self._end(None, classify_status(self.status), "failed")
            return
        try:
            decoder = compression.Decoder(headers.text(self.headers, b"content-encoding"))
            answer = decoder.feed(bytes(self._body)) + decoder.finish()
        except UpstreamFault:
            self._end(None, Outcome.failed, "failed")
            return
        dialect = DIALECTS[self.asked.route.dialect]
        scan = dialect.scan_answer(self.asked.caller.endpoint.name, answer)
        failed = scan.error is not None
        self._end(scan, Outcome.failed if failed else Outcome.ok, "failed" if failed else "ok", answer)

    def upstream_failed(self, fault: UpstreamFault) -> None:
        """The call failed; what Pinion itself had no room for was not sent, and is no word against the shadow."""
        outcome = fault_failure(fault).outcome
        self._end(None, outcome, "dropped" if outcome is Outcome.gateway_fault else "failed")

    def _end(self, scan: Scan | None, outcome: Outcome, result: str, answer: bytes = b"") -> None:
        mirror, self._mirror, self.call = self._mirror, None, None
        if mirror is not None:
            mirror.ended(self, scan, outcome, result, answer)


def _schema_valid(copy: Copy, answer: bytes) -> bool | None:
    release = copy.shadow.release
    if not release.has_output_schema:
        return None
    return follows_schema(release.prompt, whole_text(copy.asked.caller.endpoint.name, answer))


def _shadow_request(asked: Asked, shadow: Shadow) -> Shaped:
    """Shape the copy, less what is stateful at the provider or acts on the world by itself."""
    shaped = shape(asked, shadow.release, ask_usage=False)
    request = shaped.request
    edits: dict[str, bytes | None] = dict.fromkeys(_STRIPPED_FIELDS)
    tools = asked.parsed.get("tools")
    if isinstance(tools, list):
        kept = [tool for tool in tools if _is_client_tool(tool)]
        if len(kept) != len(tools):
            edits["tools"] = json_body.dump(kept) if kept else None
            edits["tool_choice"] = None
    if asked.caller.endpoint.name == "responses":
        edits["store"] = b"false"
    body = json_body.splice(request.body, edits)
    copied = UpstreamRequest(request.provider, request.target, request.headers, body)
    return Shaped(copied, shaped.hide_usage, shaped.prompt_digest)


def _is_client_tool(tool: Any) -> bool:
    """Tools that the application runs are safe to ask for; tools that the provider runs are not."""
    return isinstance(tool, Mapping) and tool.get("type", "custom") in _CLIENT_TOOL_TYPES


def _record(
    copy: Copy, scan: Scan | None, outcome: Outcome, *, valid: bool | None, seconds: float, at: float
) -> Record:
    asked, release = copy.asked, copy.shadow.release
    usage = scan.usage if scan is not None else None
    cost = release.model.pricing.cost(usage, at) if usage is not None else UNKNOWN_COST
    return Record(
        request_id=f"{copy.request_id}-shadow",
        at=at,
        app=asked.caller.app.name,
        route=asked.route.name,
        release=release.version,
        track="shadow",
        why="sampled for the shadow",
        bucket=copy.shadow.salt.bucket(copy.request_id),
        unit_digest=None,
        outcome=outcome.value,
        status=copy.status,
        seconds=seconds,
        first_token_seconds=None,
        overhead_seconds=0.0,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cached_input_tokens=None if usage is None else usage.cached_input_tokens,
        cost_nano_usd=cost.nano_usd,
        cost_status=cost.status,
        partial=False,
        input_digest=asked.input_digest,
        served_model=None if scan is None else scan.served_model,
        fingerprint=None if scan is None else scan.fingerprint,
        response_id=None if scan is None else scan.response_id,
        upstream_request_id=upstream_id(headers.first_values(copy.headers)),
        endpoint=asked.caller.endpoint.name,
        stream=False,
        sdk_retries=0,
        attempts=(Tried(release.version, "shadow", outcome.value, copy.status),),
        epoch=asked.snapshot.epoch,
        shadow_of=copy.request_id,
        schema_valid=valid,
        revision=asked.snapshot.revision[:REVISION_DIGITS],
        prompt_digest=copy.prompt_digest,
    )
