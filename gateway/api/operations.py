"""The operations API: health, metrics, what serves and why, and the verbs that change it."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.experiments import ExperimentHandlers
from gateway.api.figures import FigureHandlers
from gateway.api.openapi import document
from gateway.control.breakers import Breakers
from gateway.control.experiments import Experiments
from gateway.control.explain import explain_request, explain_rollout, explain_unit
from gateway.control.judging import Judging
from gateway.control.live import Live
from gateway.control.measured import Measured
from gateway.control.rollouts import Rollouts, Word
from gateway.control.served_models import ServedModels
from gateway.control.serving import Reload, Serving
from gateway.control.status import describe_reload, describe_rollout, status
from gateway.core.address import is_loopback
from gateway.core.errors import OperatorFault, PinionError, StoreFault, UnknownSubject
from gateway.core.ports import Clock, Ledger, Store
from gateway.core.rollout import Rollout
from gateway.core.text import storable

LOCAL_OPERATOR = "local"
TOKEN_OPERATOR = "operator"  # noqa: S105 - the name that acts with the token are recorded under, not a secret
MAX_REASON = 500
MAX_BODY = 64 * 1024

ACT_FIELDS: Mapping[str, type] = {"reason": str, "full": bool, "to": str, "seen": dict}
"""What an act may say: why, whether to skip the steps that are left, which release an undo goes back to, and the
rollout, state and step that its sender has seen."""

ACTS_AT_ONCE = frozenset({"rollback", "undo"})
"""Verbs that are recorded after they have been carried out; the others before."""

_KIND_NAMES: Mapping[type, str] = {str: "a text", bool: "true or false", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations API reads and commands. `ready` says why the gateway may not take traffic, or None."""

    live: Live
    serving: Serving
    rollouts: Rollouts
    judging: Judging
    experiments: Experiments
    breakers: Breakers
    served_models: ServedModels
    store: Store
    ledger: Ledger
    clock: Clock
    ready: Callable[[], str | None]
    reload: Callable[[], Awaitable[Reload]]
    exposition: Callable[[str], tuple[bytes, str]]
    extra_status: Callable[[], Mapping[str, Any]]


class Operations:
    """The handlers. With a `token` every act needs it; without one, whoever can reach loopback is the operator."""

    def __init__(self, desk: Desk, token: str | None) -> None:
        self._desk = desk
        self._token = token

    def application(self) -> Starlette:
        """Make the ASGI application."""
        measured = Measured(lambda: self._desk.live.state, self._desk.ledger, self._desk.clock)
        application = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
                Route("/admin/v1/openapi.json", self._openapi),
                Route("/admin/v1/status", self._status),
                Route("/admin/v1/explain", self._explain),
                Route("/admin/v1/reload", self._reload, methods=["POST"]),
                Route("/admin/v1/rollouts/{route}", self._rollout),
                Route("/admin/v1/rollouts/{route}/{verb}", self._verb, methods=["POST"]),
                *ExperimentHandlers(self._desk.experiments, self._operator).routes(),
                *FigureHandlers(measured, self._operator).routes(),
            ],
            exception_handlers={PinionError: _refused, HTTPException: _not_here},
        )
        application.router.redirect_slashes = False  # a redirect would name the host that the request names
        return application

    async def _healthz(self, request: Request) -> Response:
        del request
        return Response("alive\n", media_type="text/plain")

    async def _readyz(self, request: Request) -> Response:
        del request
        why_not = self._desk.ready()
        return Response(f"{why_not or 'ready'}\n", 200 if why_not is None else 503, media_type="text/plain")

    async def _metrics(self, request: Request) -> Response:
        body, content_type = self._desk.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def _openapi(self, request: Request) -> Response:
        del request
        return _json(document())

    async def _status(self, request: Request) -> Response:
        self._operator(request)
        desk = self._desk
        told = status(desk.live, desk.serving.last_reload, desk.breakers, desk.served_models, desk.clock.monotonic())
        return _json({**desk.extra_status(), **told})

    async def _explain(self, request: Request) -> Response:
        self._operator(request)
        asked = request.query_params
        desk = self._desk
        if "request" in asked:
            record = await desk.ledger.find(asked["request"])
            if record is None:
                raise UnknownSubject(f"no record of request {asked['request'][:100]!r}; records age out of the ledger")
            return _json(explain_request(record))
        if "rollout" in asked:
            return _json(await self._told_rollout(asked["rollout"]))
        if "route" in asked and "unit" in asked:
            return _json(explain_unit(desk.live.current, asked["route"], asked["unit"]))
        raise OperatorFault("say what to explain: route= and unit=, request=, or rollout=")

    async def _reload(self, request: Request) -> Response:
        self._operator(request, acts=True)
        reload = await self._desk.reload()
        return _json(describe_reload(reload), 200 if reload.accepted else 422)

    async def _rollout(self, request: Request) -> Response:
        self._operator(request)
        return _json(await self._told_rollout(request.path_params["route"]))

    async def _told_rollout(self, route: str) -> dict[str, Any]:
        record = self._desk.live.record_of(route)
        if record.rollout is None:
            raise UnknownSubject(f"route {route} has had no rollout")
        try:
            history = await self._desk.store.history(route, limit=100)
        except StoreFault:
            history = ()  # where the rollout stands and what it waits for is known without the store
        return explain_rollout(record.rollout, history, self._desk.judging.describe(route))

    async def _verb(self, request: Request) -> Response:
        actor = self._operator(request, acts=True)
        wanted = await _body(request)
        route, verb = request.path_params["route"], request.path_params["verb"]
        reason = wanted.get("reason") or f"{verb} by {actor}"
        word = Word(actor, storable(reason[:MAX_REASON]), wanted.get("seen"))
        try:
            rollout = await self._act(verb, route, word, wanted)
        except StoreFault as fault:
            raise StoreFault(f"{fault.message}; nothing was changed, try again once the store is back") from fault
        is_recorded = verb not in ACTS_AT_ONCE or not len(self._desk.live.recording)
        return _json({**describe_rollout(rollout), "is_recorded": is_recorded})

    async def _act(self, verb: str, route: str, word: Word, wanted: Mapping[str, Any]) -> Rollout:
        rollouts = self._desk.rollouts
        match verb:
            case "promote":
                return await rollouts.promote(route, word, full=wanted.get("full", False))
            case "undo":
                return await rollouts.undo(route, word, to=wanted.get("to"))
        plain = {
            "start": rollouts.start,
            "pause": rollouts.pause,
            "resume": rollouts.resume,
            "rollback": rollouts.rollback,
            "retry": rollouts.retry,
        }
        if verb in plain:
            return await plain[verb](route, word)
        known = "start, promote, pause, resume, rollback, retry and undo"
        raise UnknownSubject(f"no verb {verb[:50]!r}; there is {known}")

    def _operator(self, request: Request, *, acts: bool = False) -> str:
        """Name the operator who asks.

        Without a token, a web page open on this machine could ask too: an act must carry JSON, which a browser sends
        across origins only with a leave that is never given here, and the Host must be loopback's own.

        Raises:
            HTTPException: 401 without the token, 403 for what a web page sent, 415 for an act without JSON.
        """
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if acts and content_type != "application/json":
            raise HTTPException(415, "send the act as application/json")
        if self._token is not None:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
                message = "this needs the operator token, as a Bearer token"
                raise HTTPException(401, message, {"www-authenticate": "Bearer"})
            return TOKEN_OPERATOR
        if not _names_loopback(request.headers.get("host", "")):
            raise HTTPException(403, "without an operator token this answers to loopback names alone")
        return LOCAL_OPERATOR


def _names_loopback(host: str) -> bool:
    """Say whether a Host header, its port aside, is loopback's own name or address; no page omits it."""
    name, _, port = host.rpartition(":")
    bare = name if port.isdecimal() else host
    return bare == "" or is_loopback(bare[1:-1] if bare.startswith("[") else bare)


async def _body(request: Request) -> Mapping[str, Any]:
    """Read what an act asks for, by the fields of `ACT_FIELDS`."""
    raw = b""
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY:
            raise HTTPException(413, "the body is over 64 KiB")
    try:
        value = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, "the body is not JSON") from exc
    if not isinstance(value, Mapping):
        raise HTTPException(400, "the body must be a JSON object")
    for name, given in value.items():
        kind = ACT_FIELDS.get(name)
        if kind is None:
            raise HTTPException(400, f"unknown field {name[:50]!a}; there is {', '.join(ACT_FIELDS)}")
        if not isinstance(given, kind):
            raise HTTPException(400, f"{name} must be {_KIND_NAMES[kind]}")
    return value


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, media_type="application/json")


async def _refused(request: Request, exc: Exception) -> Response:
    del request
    return _json({"error": {"message": str(exc)}}, getattr(exc, "status", 500))


async def _not_here(request: Request, exc: Exception) -> Response:
    """Answer what the framework or `_operator` refuses, with the headers that belong to the refusal."""
    del request
    answer = _json({"error": {"message": getattr(exc, "detail", "")}}, getattr(exc, "status_code", 500))
    answer.headers.update(getattr(exc, "headers", None) or {})
    return answer
