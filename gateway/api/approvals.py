"""The operations API of approvals: what waits for whom, what a reviewer needs, and what persons say of releases."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.act_body import read_body
from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.approvals import Approvals
from gateway.control.requestable import Reviewed
from gateway.control.status import describe_exception
from gateway.core.approval import Request
from gateway.core.audit import AuditAct, By, Origin, Target
from gateway.core.audit_acts import act_of_refusal
from gateway.core.errors import NotPermitted, OperatorFault
from gateway.core.operator import Operator
from gateway.core.text import storable

MAX_TEXT = 2_000
PAST = 100
"""How many requests of the past are told."""

Fields = Mapping[str, type]


@dataclass(frozen=True, slots=True)
class Said:
    """Who acts on a release, or on an approval policy where there is no version; how they came; and what they say."""

    name: str
    version: str | None
    who: Operator
    origin: Origin
    fields: Mapping[str, Any]


Act = Callable[[Said], Awaitable[dict[str, Any]]]


class ApprovalHandlers:
    """The handlers."""

    def __init__(self, approvals: Approvals, note: Callable[[AuditAct], object], origin: OriginOf) -> None:
        """`note` has a refusal written to the audit trail; `origin` says how an operator came."""
        self._approvals = approvals
        self._note = note
        self._origin = origin

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        release, policy = "/admin/v1/releases/{route}/{version}", "/admin/v1/approvals/policies/{name}"
        reason: Fields = {"reason": str}
        acts: list[tuple[str, Fields, Act]] = [
            ("request", {"reason": str, "rollback_plan": str}, self._request),
            ("withdraw", reason, self._withdraw),
            ("sign", {"role": str, "digest": str, "comment": str}, self._sign),
            ("reject", reason, self._reject),
        ]
        alone: list[tuple[str, Fields, Act]] = [
            ("except", {"reason": str, "until": float}, self._except),
            ("emergency", reason, self._emergency),
        ]
        found = [(release, act) for act in (*acts, *alone)] + [(policy, act) for act in acts]
        return [
            entrance.route("/admin/v1/approvals", GET=self._inbox),
            entrance.route(f"{release}/review", GET=self._review),
            *(entrance.route(f"{path}/{act[0]}", POST=self._acting(*act)) for path, act in found),
        ]

    async def _inbox(self, request: HttpRequest, operator: Operator) -> Response:
        past = (
            await self._approvals.past(request.query_params.get("name"), PAST) if "past" in request.query_params else ()
        )
        now = self._approvals.now
        return json_answer(
            {
                "requests": [told_request(each, operator) for each in self._approvals.open],
                "exceptions": [describe_exception(each, now) for each in self._approvals.exceptions],
                "past": [told_request(each, operator) for each in past if not each.is_open],
            }
        )

    async def _review(self, request: HttpRequest, operator: Operator) -> Response:
        found = self._approvals.reviewed(request.path_params["route"], request.path_params["version"])
        return json_answer(told_review(found, operator))

    async def _request(self, said: Said) -> dict[str, Any]:
        reason = _text(said.fields, "reason")
        if said.version is None:
            made = await self._approvals.request_policy(said.name, said.who, reason=reason, origin=said.origin)
            return told_request(made, said.who)
        plan = _text(said.fields, "rollback_plan")
        made = await self._approvals.request(
            said.name, said.version, said.who, reason=reason, rollback_plan=plan, origin=said.origin
        )
        return told_request(made, said.who)

    async def _sign(self, said: Said) -> dict[str, Any]:
        signed = await self._approvals.sign(
            said.name,
            said.version,
            said.who,
            role=said.fields.get("role"),
            digest=said.fields.get("digest"),
            comment=_text(said.fields, "comment"),
            origin=said.origin,
        )
        return told_request(signed, said.who)

    async def _reject(self, said: Said) -> dict[str, Any]:
        reason = _needed(said.fields, "reason")
        ended = await self._approvals.reject(said.name, said.version, said.who, reason, said.origin)
        return told_request(ended, said.who)

    async def _withdraw(self, said: Said) -> dict[str, Any]:
        reason = _text(said.fields, "reason")
        ended = await self._approvals.withdraw(said.name, said.version, said.who, reason, said.origin)
        return told_request(ended, said.who)

    async def _except(self, said: Said) -> dict[str, Any]:
        until = said.fields.get("until")
        if until is None or not math.isfinite(until):
            raise OperatorFault("until is needed: when the exception ends, in seconds since 1970-01-01 UTC")
        reason = _needed(said.fields, "reason")
        made = await self._approvals.grant(
            said.name, said.version or "", said.who, until=until, reason=reason, origin=said.origin
        )
        return describe_exception(made, self._approvals.now)

    async def _emergency(self, said: Said) -> dict[str, Any]:
        reason = _needed(said.fields, "reason")
        made = await self._approvals.emergency(
            said.name, said.version or "", said.who, reason=reason, origin=said.origin
        )
        return describe_exception(made, self._approvals.now)

    def _acting(self, verb: str, fields: Fields, act: Act) -> Callable[[HttpRequest, Operator], Awaitable[Response]]:
        """Make a handler that reads what is said, and acts; whom it refuses the audit trail tells."""

        async def handle(request: HttpRequest, operator: Operator) -> Response:
            params = request.path_params
            name, version = params.get("route") or params["name"], params.get("version")
            said = Said(name, version, operator, self._origin(request, operator), await read_body(request, fields))
            try:
                return json_answer(await act(said))
            except NotPermitted as fault:
                kind = "approval_policy" if version is None else "release"
                is_known = self._approvals.knows(name, version)  # else it is whatever somebody has sent
                target = Target(kind, name, version) if is_known else Target(kind, "unknown")
                by = By(operator.name, said.origin)
                self._note(act_of_refusal(target, verb, by, fault.message, self._approvals.now))
                raise

        return handle


def told_request(request: Request, operator: Operator) -> dict[str, Any]:
    """Tell a request, and whether it waits for an operator; times in wall seconds."""
    told = {
        name: getattr(request, name)
        for name in Request.__dataclass_fields__
        if name not in ("parts", "policy", "excluded", "identified", "state", "sign_offs", "revision")
    }
    why_not = request.why_not_signed_by(operator) if request.is_open else "it is not open"
    return {
        **told,
        "state": request.state.value,
        "parts": dict(request.parts),
        "excluded": sorted(request.excluded),
        "requires": dict(request.policy.requires),
        "missing": request.missing,
        "sign_offs": [
            {"person": each.person, "role": each.role, "at": each.at, "comment": each.comment}
            for each in request.sign_offs
        ],
        "waits_for_you": why_not is None and bool(operator.signs_for & request.missing.keys()),
        "why_not_you": why_not,
    }


def told_review(found: Reviewed, operator: Operator) -> dict[str, Any]:
    """Tell everything that a reviewer needs of a release."""
    policy = found.policy
    return {
        "route": found.subject.name,
        "release": found.subject.version,
        "environment": found.subject.environment,
        "digest": found.subject.digest,
        "parts": dict(found.subject.parts),
        "stable": found.stable,
        "out": found.why_not,
        "policy": None if policy is None else policy.to_json(),
        "gates": [{"gate": str(gate), "holds": why is None, "why_not": why} for gate, why in found.gates],
        "request": None if found.request is None else told_request(found.request, operator),
        "is_current": found.request is not None and found.request.digest == found.subject.digest,
    }


def _text(said: Mapping[str, Any], name: str) -> str:
    return storable(said.get(name, "")[:MAX_TEXT]).strip()


def _needed(said: Mapping[str, Any], name: str) -> str:
    text = _text(said, name)
    if not text:
        raise OperatorFault(f"{name} is needed: say why")
    return text
