"""The operations API of approvals: what waits for whom, what a reviewer needs, and what persons say of releases."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.act_body import read_body
from gateway.api.entrance import Entrance
from gateway.control.approvals import Approvals, Reviewed
from gateway.core.admission import Excepted
from gateway.core.approval import Request
from gateway.core.errors import OperatorFault
from gateway.core.operator import Operator
from gateway.core.text import storable

MAX_TEXT = 2_000
PAST = 100
"""How many requests of the past are told."""

Fields = Mapping[str, type]
Act = Callable[[str, str | None, Operator, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""What is done to a release, or to an approval policy where there is no version, by whom, with what they say."""


class ApprovalHandlers:
    """The handlers."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

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
        return [
            entrance.route("/admin/v1/approvals", GET=self._inbox),
            entrance.route(f"{release}/review", GET=self._review),
            *(entrance.route(f"{release}/{verb}", POST=_acting(fields, act)) for verb, fields, act in (*acts, *alone)),
            *(entrance.route(f"{policy}/{verb}", POST=_acting(fields, act)) for verb, fields, act in acts),
        ]

    async def _inbox(self, request: HttpRequest, operator: Operator) -> Response:
        past = (
            await self._approvals.past(request.query_params.get("name"), PAST) if "past" in request.query_params else ()
        )
        now = self._approvals.now
        return _json(
            {
                "requests": [told_request(each, operator) for each in self._approvals.open],
                "exceptions": [told_exception(each, now) for each in self._approvals.exceptions],
                "past": [told_request(each, operator) for each in past if not each.is_open],
            }
        )

    async def _review(self, request: HttpRequest, operator: Operator) -> Response:
        found = self._approvals.reviewed(request.path_params["route"], request.path_params["version"])
        return _json(told_review(found, operator))

    async def _request(self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
        reason = _text(said, "reason")
        if version is None:
            return told_request(await self._approvals.request_policy(name, who, reason=reason), who)
        plan = _text(said, "rollback_plan")
        made = await self._approvals.request(name, version, who, reason=reason, rollback_plan=plan)
        return told_request(made, who)

    async def _sign(self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
        role, digest, comment = said.get("role"), said.get("digest"), _text(said, "comment")
        return told_request(
            await self._approvals.sign(name, version, who, role=role, digest=digest, comment=comment), who
        )

    async def _reject(self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
        return told_request(await self._approvals.reject(name, version, who, _needed(said, "reason")), who)

    async def _withdraw(self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
        return told_request(await self._approvals.withdraw(name, version, who, _text(said, "reason")), who)

    async def _except(self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
        until = said.get("until")
        if until is None or not math.isfinite(until):
            raise OperatorFault("until is needed: when the exception ends, in seconds since 1970-01-01 UTC")
        reason = _needed(said, "reason")
        made = await self._approvals.grant(name, version or "", who, until=until, reason=reason)
        return told_exception(made, self._approvals.now)

    async def _emergency(
        self, name: str, version: str | None, who: Operator, said: Mapping[str, Any]
    ) -> dict[str, Any]:
        made = await self._approvals.emergency(name, version or "", who, reason=_needed(said, "reason"))
        return told_exception(made, self._approvals.now)


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


def told_exception(made: Excepted, now: float) -> dict[str, Any]:
    """Tell an exception; times in wall seconds."""
    return {**asdict(made), "is_overdue": made.is_overdue(now)}


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


def _acting(fields: Fields, act: Act) -> Callable[[HttpRequest, Operator], Awaitable[Response]]:
    """Make a handler that reads what is said, and acts."""

    async def handle(request: HttpRequest, operator: Operator) -> Response:
        said = await read_body(request, fields)
        name = request.path_params.get("route") or request.path_params["name"]
        return _json(await act(name, request.path_params.get("version"), operator, said))

    return handle


def _text(said: Mapping[str, Any], name: str) -> str:
    return storable(said.get(name, "")[:MAX_TEXT]).strip()


def _needed(said: Mapping[str, Any], name: str) -> str:
    text = _text(said, name)
    if not text:
        raise OperatorFault(f"{name} is needed: say why")
    return text


def _json(value: Any) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), media_type="application/json")
