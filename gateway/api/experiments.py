"""The operations API of experiments: the report, and the requests line by line."""

import math
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.experiments import Experiments
from gateway.core.audit import AuditAct, Target
from gateway.core.errors import OperatorFault
from gateway.core.operator import Operator

LINES = "application/x-ndjson"
MOST_POSITION = (1 << 63) - 1

Tell = Callable[[AuditAct], Awaitable[None]]


class ExperimentHandlers:
    """The handlers."""

    def __init__(self, experiments: Experiments, tell: Tell, origin: OriginOf, now: Callable[[], float]) -> None:
        """`tell` writes to the audit trail, `origin` says how an operator came, `now` gives wall seconds."""
        self._experiments = experiments
        self._tell = tell
        self._origin = origin
        self._now = now

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        return [
            entrance.route("/admin/v1/experiments/{route}", GET=self._report),
            entrance.route("/admin/v1/experiments/{route}/exposures", GET=self._exposures),
        ]

    async def _report(self, request: Request, operator: Operator) -> Response:
        del operator
        told = await self._experiments.report(request.path_params["route"])
        return json_answer(told)

    async def _exposures(self, request: Request, operator: Operator) -> Response:
        """Stream JSON lines. A ledger that fails on the way cuts the connection: nobody takes a part for all."""
        route = request.path_params["route"]
        after, since = _after(request.query_params.get("after", "0")), _since(request.query_params.get("since", "0"))
        lines = await self._experiments.exposures(route, after, since)
        origin = self._origin(request, operator)
        await self._tell(AuditAct(self._now(), operator.name, "experiment.export", Target("route", route), origin))
        return StreamingResponse(lines, media_type=LINES)


def _after(text: str) -> int:
    if not text.isdecimal() or len(text) > 19 or int(text) > MOST_POSITION:
        raise OperatorFault("after= is the position of a line, a whole number from 0")
    return int(text)


def _since(text: str) -> float:
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise OperatorFault("since= is a time in seconds since 1970-01-01 UTC")
    return since
