"""The operations API of measured figures: what a release has shown on live requests."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.control.measured import WINDOW_SECONDS, Measured
from gateway.core.duration import parse_duration
from gateway.core.errors import OperatorFault
from gateway.core.operator import Operator

MOST_SECONDS = 366 * 86_400.0


class FigureHandlers:
    """The handlers."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        return [entrance.route("/admin/v1/releases/{route}/{version}/figures", GET=self._figures)]

    async def _figures(self, request: Request, operator: Operator) -> Response:
        del operator
        seconds = _window(request.query_params.get("window"))
        route, version = request.path_params["route"], request.path_params["version"]
        told = await self._measured.figures(route, version, seconds)
        return json_answer(told)


def _window(text: str | None) -> float:
    if text is None:
        return WINDOW_SECONDS
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise OperatorFault("window= is how far back to look, as in 24h or 28d; 366d at most")
    return seconds
