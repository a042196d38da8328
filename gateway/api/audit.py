"""The operations API of the audit trail: reading it, checking it, exporting it, and forgetting a person."""

import math
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.api.act_body import read_body
from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.audit_reading import AuditReading, Wanted
from gateway.core.audit import AuditAct, Target
from gateway.core.checkpoint import VerifierKey, verifier_key
from gateway.core.errors import OperatorFault
from gateway.core.operator import Operator

LINES = "application/x-ndjson"
MOST_AT_ONCE = 1_000
MOST_NUMBER = (1 << 63) - 1


FORGET_FIELDS: Mapping[str, type] = {"name": str, "reason": str}


class AuditHandlers:
    """The handlers. `origin` says how an operator came, `now` gives wall seconds."""

    def __init__(self, reading: AuditReading, origin: OriginOf, now: Callable[[], float]) -> None:
        self._reading = reading
        self._origin = origin
        self._now = now

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        return [
            entrance.route("/admin/v1/audit", GET=self._page),
            entrance.route("/admin/v1/audit/verify", GET=self._verify),
            entrance.route("/admin/v1/audit/export", GET=self._export),
            entrance.route("/admin/v1/audit/checkpoint", GET=self._checkpoint),
            entrance.route("/admin/v1/audit/proof", GET=self._proof),
            entrance.route("/admin/v1/audit/consistency", GET=self._consistency),
            entrance.route("/admin/v1/audit/forget", POST=self._forget),
        ]

    async def _page(self, request: Request, operator: Operator) -> Response:
        del operator
        return json_answer(await self._reading.page(_wanted(request.query_params)))

    async def _verify(self, request: Request, operator: Operator) -> Response:
        del operator
        return json_answer(await self._reading.verify(_key(request.query_params.get("key"))))

    async def _checkpoint(self, request: Request, operator: Operator) -> Response:
        del request, operator
        return json_answer(await self._reading.checkpoint())

    async def _proof(self, request: Request, operator: Operator) -> Response:
        del operator
        seq, size = _needed(request.query_params, "seq"), _optional(request.query_params, "size")
        return json_answer(await self._reading.proofs.inclusion(seq, size))

    async def _consistency(self, request: Request, operator: Operator) -> Response:
        del operator
        first, second = _needed(request.query_params, "first"), _optional(request.query_params, "second")
        return json_answer(await self._reading.proofs.consistency(first, second))

    async def _export(self, request: Request, operator: Operator) -> Response:
        """Stream JSON lines. A store that fails on the way cuts the connection, and the last line is missing."""
        origin = self._origin(request, operator)
        act = AuditAct(self._now(), operator.name, "audit.export", Target("audit", "trail"), origin)
        return StreamingResponse(await self._reading.export(act), media_type=LINES)

    async def _forget(self, request: Request, operator: Operator) -> Response:
        wanted = await read_body(request, FORGET_FIELDS)
        name, reason = wanted.get("name", ""), wanted.get("reason", "")
        if not name or not reason:
            raise OperatorFault("say whom to forget and why: name and reason")
        origin = self._origin(request, operator)
        act = AuditAct(self._now(), operator.name, "audit.forget", Target("actor", ""), origin, reason=reason)
        return json_answer(await self._reading.forget(name, act))


def _wanted(asked: Mapping[str, str]) -> Wanted:
    texts = {name: asked.get(name) or None for name in ("actor", "action", "target")}
    after = _optional(asked, "after")
    limit = _number("limit", asked.get("limit", "100"), MOST_AT_ONCE)
    return Wanted(after, limit, texts["actor"], texts["action"], texts["target"], _since(asked.get("since")))


def _needed(asked: Mapping[str, str], name: str) -> int:
    return _number(name, asked.get(name, ""), MOST_NUMBER)


def _optional(asked: Mapping[str, str], name: str) -> int | None:
    return _number(name, asked[name], MOST_NUMBER) if name in asked else None


def _number(name: str, text: str, most: int) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 19 or int(text) > most:
        raise OperatorFault(f"{name}= is a whole number from 0 to {most}")
    return int(text)


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise OperatorFault("since= is a time in seconds since 1970-01-01 UTC")
    return since


def _key(text: str | None) -> VerifierKey | None:
    if text is None:
        return None
    try:
        return verifier_key(text)
    except ValueError as error:
        raise OperatorFault(f"key= is no verifier key: {error}") from error
