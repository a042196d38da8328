"""The operations API: health, metrics, what serves and why, and the verbs that change it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import AccessHandlers
from gateway.api.act_body import read_body
from gateway.api.approvals import ApprovalHandlers
from gateway.api.audit import AuditHandlers
from gateway.api.compliance import ComplianceHandlers
from gateway.api.entrance import Entrance
from gateway.api.experiments import ExperimentHandlers
from gateway.api.figures import FigureHandlers
from gateway.api.json_answer import json_answer
from gateway.api.openapi import document
from gateway.api.origin import origin_of
from gateway.api.registry import MOST_DEPLOYMENTS, RegistryHandlers
from gateway.control.access_uses import AccessUses
from gateway.control.app_limits import AppLimits
from gateway.control.approvals import Approvals
from gateway.control.audit_notes import NOBODY
from gateway.control.audit_reading import AuditReading
from gateway.control.breakers import Breakers
from gateway.control.compliance import Compliance
from gateway.control.experiments import Experiments
from gateway.control.explain import explain_request, explain_rollout, explain_unit
from gateway.control.identification import Identification
from gateway.control.judging import Judging
from gateway.control.keys import Keys
from gateway.control.live import Live
from gateway.control.measured import Measured
from gateway.control.registries import Registries
from gateway.control.rollouts import Rollouts, Word
from gateway.control.served_models import ServedModels
from gateway.control.serving import Reload, Serving
from gateway.control.status import describe_reload, describe_rollout, status
from gateway.core.audit import AuditAct, Origin, Target
from gateway.core.errors import OperatorFault, PinionError, StoreFault, Unidentified, UnknownSubject
from gateway.core.operator import Operator
from gateway.core.ports import Clock, Ledger, Store, TokenVerifier
from gateway.core.record import Record
from gateway.core.rollout import Rollout
from gateway.core.text import storable

MAX_REASON = 500
MOST_REQUESTS = 1_000
"""How far back the approval is looked for that a release has served on."""


ACT_FIELDS: Mapping[str, type] = {"reason": str, "full": bool, "to": str, "seen": dict}
"""What an act may say: why, whether to skip the steps that are left, which release an undo goes back to, and the
rollout, state and step that its sender has seen."""

ACTS_AT_ONCE = frozenset({"rollback", "undo"})
"""Verbs that are recorded after they have been carried out; the others before."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations API reads and commands. `ready` says why the gateway may not take traffic, or None.

    `note` has an act that changes nothing written to the audit trail, soon and perhaps.
    """

    live: Live
    serving: Serving
    rollouts: Rollouts
    judging: Judging
    experiments: Experiments
    registries: Registries
    approvals: Approvals
    breakers: Breakers
    served_models: ServedModels
    store: Store
    audit: AuditReading
    compliance: Compliance
    note: Callable[[AuditAct], object]
    ledger: Ledger
    clock: Clock
    ready: Callable[[], str | None]
    reload: Callable[[], Awaitable[Reload]]
    exposition: Callable[[str], tuple[bytes, str]]
    extra_status: Callable[[], Mapping[str, Any]]
    keys: Keys
    app_limits: AppLimits
    access_uses: AccessUses
    verifier: TokenVerifier


class Operations:
    """The handlers. Operators are those of the snapshot, and whoever has the admin `token`.

    Without either, whoever can reach loopback is the operator.
    """

    def __init__(self, desk: Desk, token: str | None) -> None:
        self._desk = desk
        self._access = AccessHandlers(
            desk.live, desk.keys, desk.access_uses, self._origin, has_admin_token=token is not None
        )
        identification = Identification(lambda: desk.live.current, desk.verifier, token)
        self._entrance = Entrance(identification, desk.live.world.journal, desk.access_uses, self._denied)

    def application(self) -> Starlette:
        """Make the ASGI application."""
        entrance, desk = self._entrance, self._desk
        measured = Measured(lambda: desk.live.state, desk.ledger, desk.clock)
        application = Starlette(
            routes=[
                entrance.open("/healthz", self._healthz),
                entrance.open("/readyz", self._readyz),
                entrance.open("/metrics", self._metrics),
                entrance.open("/admin/v1/openapi.json", self._openapi),
                entrance.route("/admin/v1/status", GET=self._status),
                entrance.route("/admin/v1/explain", GET=self._explain),
                entrance.route("/admin/v1/apps/limits", GET=self._app_limits),
                entrance.route("/admin/v1/reload", POST=self._reload),
                entrance.route("/admin/v1/rollouts/{route}", GET=self._rollout),
                entrance.route("/admin/v1/rollouts/{route}/rollback", POST=self._verb),
                entrance.route("/admin/v1/rollouts/{route}/{verb}", POST=self._verb),
                *ExperimentHandlers(desk.experiments, self._tell, self._origin, desk.clock.wall).routes(entrance),
                *AuditHandlers(desk.audit, self._origin, desk.clock.wall).routes(entrance),
                *RegistryHandlers(desk.live, desk.registries, desk.serving, desk.store, self._origin).routes(entrance),
                *ApprovalHandlers(desk.approvals, desk.note, self._origin).routes(entrance),
                *self._access.routes(entrance),
                *FigureHandlers(measured).routes(entrance),
                *ComplianceHandlers(desk.compliance, self._tell, self._origin, desk.clock.wall).routes(entrance),
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
        return json_answer(document())

    async def _status(self, request: Request, operator: Operator) -> Response:
        del request, operator
        desk = self._desk
        told = status(desk.live, desk.serving.last_reload, desk.breakers, desk.served_models, desk.clock.monotonic())
        return json_answer({**desk.extra_status(), **told})

    async def _explain(self, request: Request, operator: Operator) -> Response:
        del operator
        asked = request.query_params
        desk = self._desk
        if "request" in asked:
            record = await desk.ledger.find(asked["request"])
            if record is None:
                raise UnknownSubject(f"no record of request {asked['request'][:100]!r}; records age out of the ledger")
            return json_answer(await self._told_request(record))
        if "rollout" in asked:
            return json_answer(await self._told_rollout(asked["rollout"]))
        if "route" in asked and "unit" in asked:
            return json_answer(explain_unit(desk.live, asked["route"], asked["unit"]))
        raise OperatorFault("say what to explain: route= and unit=, request=, or rollout=")

    async def _app_limits(self, request: Request, operator: Operator) -> Response:
        del operator
        return json_answer(self._desk.app_limits.describe(request.query_params.get("app")))

    async def _reload(self, request: Request, operator: Operator) -> Response:
        del request, operator
        reload = await self._desk.reload()
        return json_answer(describe_reload(reload), 200 if reload.accepted else 422)

    async def _rollout(self, request: Request, operator: Operator) -> Response:
        del operator
        return json_answer(await self._told_rollout(request.path_params["route"]))

    async def _told_request(self, record: Record) -> dict[str, Any]:
        """Tell a request; what is registered of its release is left out while the store is away."""
        try:
            versions = await self._desk.registries.versions_of(record.route, record.release)
            deployments = await self._desk.store.deployments(record.route, MOST_DEPLOYMENTS)
            requests = await self._desk.approvals.past(record.route, MOST_REQUESTS)
        except StoreFault:
            versions, deployments, requests = [], (), ()
        return explain_request(record, versions, deployments, self._desk.live.state.governance, requests)

    async def _told_rollout(self, route: str) -> dict[str, Any]:
        record = self._desk.live.record_of(route)
        if record.rollout is None:
            raise UnknownSubject(f"route {route} has had no rollout")
        try:
            history = await self._desk.store.history(route, limit=100)
        except StoreFault:
            history = ()  # where the rollout stands and what it waits for is known without the store
        return explain_rollout(record.rollout, history, self._desk.judging.describe(route))

    async def _verb(self, request: Request, operator: Operator) -> Response:
        wanted = await read_body(request, ACT_FIELDS)
        route, verb = request.path_params["route"], request.path_params.get("verb", "rollback")
        reason = wanted.get("reason") or f"{verb} by {operator.name}"
        word = Word(operator.name, storable(reason[:MAX_REASON]), wanted.get("seen"), self._origin(request, operator))
        try:
            rollout = await self._act(verb, route, word, wanted)
        except StoreFault as fault:
            raise StoreFault(f"{fault.message}; nothing was changed, try again once the store is back") from fault
        is_recorded = verb not in ACTS_AT_ONCE or not len(self._desk.live.recording)
        return json_answer({**describe_rollout(rollout), "is_recorded": is_recorded})

    async def _tell(self, act: AuditAct) -> None:
        """Have it written who takes what out of here, before it is given."""
        await self._desk.store.audit([act])

    def _denied(self, request: Request, path: str, operator: Operator | None, why: str, status: int) -> None:
        """Have a refusal noted: who was refused what; of their words nothing but a route that there is."""
        route = request.path_params.get("route")
        named = {"route": str(route)} if route in self._desk.live.current.routes else {}
        revision = self._desk.serving.policies.revision or None
        unknown = Origin("person", "none", "none", None, revision)
        self._desk.note(
            AuditAct(
                self._desk.clock.wall(),
                NOBODY if operator is None else operator.name,
                "access.denied",
                Target("operation", f"{request.method} {path}"),
                unknown if operator is None else self._origin(request, operator),
                outcome="denied",
                reason=why,
                details={"status": str(status), **named},
            )
        )

    def _origin(self, request: Request, operator: Operator) -> Origin:
        """Say how an operator came."""
        return origin_of(request, operator, self._desk.serving.policies.revision)

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


async def _refused(request: Request, exc: Exception) -> Response:
    del request
    answer = json_answer({"error": {"message": str(exc)}}, getattr(exc, "status", 500))
    if isinstance(exc, Unidentified):
        answer.headers["www-authenticate"] = "Bearer"
    return answer


async def _not_here(request: Request, exc: Exception) -> Response:
    """Answer what the framework or the entrance refuses, with the headers that belong to the refusal."""
    del request
    answer = json_answer({"error": {"message": getattr(exc, "detail", "")}}, getattr(exc, "status_code", 500))
    answer.headers.update(getattr(exc, "headers", None) or {})
    return answer
