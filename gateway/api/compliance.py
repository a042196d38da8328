"""The operations API of compliance: the evidence for the clauses of the frameworks."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.entrance import Entrance
from gateway.api.experiments import Tell
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.compliance import Compliance
from gateway.core.audit import AuditAct, Target
from gateway.core.operator import Operator


class ComplianceHandlers:
    """The handlers. `tell` writes to the audit trail, `origin` says how an operator came, `now` gives wall seconds."""

    def __init__(self, compliance: Compliance, tell: Tell, origin: OriginOf, now: Callable[[], float]) -> None:
        self._compliance = compliance
        self._tell = tell
        self._origin = origin
        self._now = now

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        return [entrance.route("/admin/v1/compliance", GET=self._export)]

    async def _export(self, request: Request, operator: Operator) -> Response:
        told = await self._compliance.export()
        origin = self._origin(request, operator)
        target = Target("compliance", "export", digest=told["policy_revision"] or None)
        await self._tell(AuditAct(self._now(), operator.name, "compliance.export", target, origin))
        return json_answer(told)
