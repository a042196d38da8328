"""The request that every part is timed with: 1 KB of chat to a route with a prompt, parameters, prices and a canary."""

import json
from dataclasses import replace

from gateway.adapters.prometheus_meters import PrometheusMeters
from gateway.control.breakers import Breakers
from gateway.core.bucket import Salt
from gateway.core.head import Head
from gateway.core.outcome import Outcome
from gateway.core.release import Release
from gateway.core.route import Canary
from gateway.core.unit import DEFAULT_STICKY_BY
from gateway.proxy.admission import Asked, Limits, admit_body, admit_head
from gateway.proxy.assignment import assigned
from gateway.proxy.attempt import Attempt
from gateway.proxy.relay import relay_for
from gateway.proxy.retry_budget import RetryBudget
from gateway.proxy.settlement import Ending
from gateway.proxy.verdicts import Verdicts
from gateway.proxy.way import Way
from gateway.wire.dialects import DIALECTS
from gateway.wire.endpoint import find
from tests.proxy.playbook import KEY, Play, prompt, release, route

BODY_BYTES = 1024
CANARY_PPM = 50_000
PARAMS = {"temperature": 0.2, "seed": 7}
LIMITS = Limits()

TEXT = "Our gearbox hums at forty turns a second and stops when the lid is opened, what could that be? "

HEAD = Head(
    "POST",
    "/v1/chat/completions",
    b"",
    [
        (b"host", b"127.0.0.1:8080"),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"connection", b"keep-alive"),
        (b"content-type", b"application/json"),
        (b"user-agent", b"OpenAI/Python 3.52.0"),
        (b"x-stainless-lang", b"python"),
        (b"x-stainless-retry-count", b"0"),
        (b"authorization", KEY),
        (b"content-length", b"%d" % BODY_BYTES),
    ],
)

ANSWER_HEADERS = [
    (b"date", b"Sat, 17 Oct 2026 12:00:00 GMT"),
    (b"content-type", b"application/json"),
    (b"openai-processing-ms", b"412"),
    (b"openai-version", b"2020-10-01"),
    (b"x-request-id", b"req_0123456789abcdef0123456789abcdef"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-ratelimit-remaining-tokens", b"1999724"),
]

USAGE = {"prompt_tokens": 300, "completion_tokens": 64, "total_tokens": 364}


def body() -> bytes:
    """A body of a kilobyte as an SDK writes it."""
    asked = {"model": "desk", "user": "user-1", "messages": [{"role": "user", "content": ""}]}
    missing = BODY_BYTES - len(_written(asked))
    asked["messages"] = [{"role": "user", "content": (TEXT * 20)[:missing]}]
    return _written(asked)


def answer() -> bytes:
    """A whole answer of about 0.7 KB."""
    message = {"role": "assistant", "content": TEXT * 4, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    told = {"id": "chatcmpl-0123456789", "object": "chat.completion", "created": 1790000000, "model": "atlas-1.0.0"}
    return _written({**told, "choices": [choice], "usage": USAGE, "system_fingerprint": "fp_1"})


def event(piece: str = TEXT[:40]) -> bytes:
    """An event of a stream with a piece of text."""
    choice = {"index": 0, "delta": {"content": piece}, "logprobs": None, "finish_reason": None}
    told = {"id": "chatcmpl-0123456789", "object": "chat.completion.chunk", "created": 1790000000}
    return b"data: " + _written({**told, "model": "atlas-1.0.0", "choices": [choice], "usage": None}) + b"\n\n"


class Nowhere:
    """The ports `Ledger` and `Journal`, without what is behind them: their threads' work is no part of a request."""

    def append(self, record) -> None: ...

    def request(self, record, message) -> None: ...

    def event(self, name, /, *, level="info", **fields) -> None: ...


class Desk:
    """A route, and one request to it that has been answered and waits to be settled."""

    def __init__(self) -> None:
        stable = _release("1.0.0")
        candidate = _release("1.1.0", provider=stable.model.provider)
        canary = Canary(candidate, CANARY_PPM, Salt("v1/rollout/desk/1.0.0/1.1.0/1"), "rollout-1")
        self.route = route(stable=stable, candidate=candidate, sticky_by=DEFAULT_STICKY_BY)
        self.route = replace(self.route, canary=canary)
        play = Play(self.route)
        self.snapshot = play.snapshots.current
        meters = PrometheusMeters(lambda _route, _version: False, dict)
        meters.declare(self.snapshot)
        breakers = Breakers(lambda: self.snapshot, lambda *_: None, play.journal)
        nowhere = Nowhere()
        self.around = replace(play.around, meters=meters, breakers=breakers, ledger=nowhere, journal=nowhere)
        self.body, self.answer = body(), answer()
        self.endpoint = find(HEAD.path)
        self.caller = admit_head(HEAD, self.endpoint, self.snapshot, LIMITS)
        self.asked = self.admit()
        self.way = Way("req_0123456789abcdef", self.asked, 1000.0, Verdicts(self.route, breakers), RetryBudget())
        self.way.assigned(*assigned(self.asked, self.around.follow_ups))
        self.way.sent(1000.0005)
        self.way.content_passed(1001.0, 1000.9995)
        self.attempt = self._answered()
        self.ending = Ending(Outcome.ok, 200, "", 1001.0)

    def admit(self) -> Asked:
        """Read the body."""
        return admit_body(self.caller, self.body, self.snapshot, LIMITS)

    def _answered(self) -> Attempt:
        leg = self.way.leg
        permit = self.around.breakers.permit(self.route, leg.release, 1000.0)
        attempt = Attempt(None, self.way, 0, leg, permit, sent_at=1000.0, status=200)
        attempt.headers, attempt.first = ANSWER_HEADERS, dict(ANSWER_HEADERS)
        attempt.relay = relay_for(DIALECTS["openai"], "chat", attempt.first, hide_usage=False)
        attempt.relay.feed(self.answer)
        attempt.relay.end()
        return attempt


def _release(version: str, **changes) -> Release:
    told = prompt(text="You are the support assistant of a maker of gearboxes. Answer from the manual only.", inputs={})
    return release(version, params=PARAMS, prompt=told, **changes)


def _written(told) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
