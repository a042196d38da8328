"""The applications' API apart from the governed endpoints: routes, which release would serve, and feedback."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.control.feedback import Assessments, read_assessment
from gateway.core.app import App
from gateway.core.assignment import Facts, assign
from gateway.core.errors import (
    ClientFault,
    Denied,
    GatewayFault,
    KeyInDoubt,
    Malformed,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from gateway.core.snapshot import Snapshot
from gateway.core.unit import find_unit
from gateway.proxy.admission import find_route
from gateway.proxy.surroundings import Denials
from gateway.wire import headers, json_body
from gateway.wire.dialects import DIALECTS

ANTHROPIC_HEADER = "anthropic-version"
MAX_FEEDBACK = 64 * 1024
ONE_MODEL = "/v1/models/{name}"


class Applications:
    """The handlers; `current` gives the snapshot, `new_id` makes request ids, `assessments` take feedback."""

    def __init__(
        self,
        current: Callable[[], Snapshot],
        new_id: Callable[[], str],
        assessments: Assessments,
        denials: Denials,
    ) -> None:
        """`denials` are told who was refused what for want of a right."""
        self._current = current
        self._new_id = new_id
        self._assessments = assessments
        self._denials = denials

    def application(self) -> Starlette:
        """Make the ASGI application."""
        application = Starlette(
            routes=[
                Route("/v1/models", self._models, methods=["GET"]),
                Route(ONE_MODEL, self._model, methods=["GET"]),
                Route("/v1/assignment", self._assignment, methods=["GET"]),
                Route("/v1/feedback", self._feedback, methods=["POST"]),
            ],
            exception_handlers={
                ClientFault: self._refused,
                GatewayFault: self._not_now,
                HTTPException: self._not_here,
            },
        )
        application.router.redirect_slashes = False  # a redirect would name the host that the request names
        return application

    def _caller(self, request: Request) -> App:
        credential, snapshot = _credential(request), self._current()
        app = snapshot.app_of(credential)
        if app is None:
            raise KeyInDoubt if snapshot.is_in_doubt(credential) else Unauthenticated
        return app

    async def _models(self, request: Request) -> Response:
        """List the routes that the key may call, in the shape of the SDK that asks."""
        app = self._caller(request)
        snapshot = self._current()
        is_anthropic = ANTHROPIC_HEADER in request.headers
        names = sorted(name for name in snapshot.routes if app.may_call(name))
        if is_anthropic:
            data = [_anthropic_model(name) for name in names]
            return self._json(
                {
                    "data": data,
                    "has_more": False,
                    "first_id": names[0] if names else None,
                    "last_id": names[-1] if names else None,
                },
            )
        return self._json({"object": "list", "data": [_openai_model(name) for name in names]})

    async def _model(self, request: Request) -> Response:
        """Show one route."""
        app = self._caller(request)
        route = find_route(app, request.path_params["name"], None, self._current())
        is_anthropic = ANTHROPIC_HEADER in request.headers
        return self._json(_anthropic_model(route.name) if is_anthropic else _openai_model(route.name))

    async def _assignment(self, request: Request) -> Response:
        """Tell which release and context would serve a unit."""
        app = self._caller(request)
        name = request.query_params.get("model")
        if not name:
            raise Malformed("name a route: /v1/assignment?model=ROUTE, with x-pinion-unit or unit=")
        route = find_route(app, name, None, self._current())

        def header(wanted: str) -> str | None:
            return headers.text(request.scope["headers"], wanted.encode())

        query_unit = request.query_params.get("unit")
        body: dict[str, Any] = {}
        unit = find_unit(
            route.sticky_by,
            lambda n: header(n) or (query_unit if n == "x-pinion-unit" else None),
            body,
            app.name,
        )
        assignment = assign(route, Facts(app.name, unit, 0, header))
        release = assignment.release
        return self._json(
            {
                "route": route.name,
                "release": str(release),
                "version": release.version,
                "model": str(release.model),
                "prompt": None if release.prompt is None else str(release.prompt),
                "context": dict(release.context),
                "track": assignment.track,
                "why": assignment.why,
                "bucket": assignment.bucket,
                "unit": None if unit is None else unit.value,
                "unit_source": None if unit is None else unit.source,
            },
        )

    async def _feedback(self, request: Request) -> Response:
        """Take what an application says of an answer."""
        app = self._caller(request)
        raw = b""
        async for piece in request.stream():
            raw += piece
            if len(raw) > MAX_FEEDBACK:
                raise TooLarge.body_over(MAX_FEEDBACK)
        return self._json(await self._assessments.assess(app.name, read_assessment(json_body.parse(raw))))

    def _json(self, value: Any) -> Response:
        body = json.dumps(value, ensure_ascii=False)
        return Response(body, headers={"x-request-id": self._new_id()}, media_type="application/json")

    async def _refused(self, request: Request, exc: Exception) -> Response:
        """Answer a client's fault in its dialect; a denial is told."""
        if isinstance(exc, Denied):
            path = ONE_MODEL if request.path_params else request.scope["path"]
            credential = _credential(request)
            self._denials.deny(f"{request.method} {path}", exc, self._current().app_of(credential), credential)
        status, code = getattr(exc, "status", 500), getattr(exc, "code", "api_error")
        challenge = {"www-authenticate": "Bearer"} if isinstance(exc, Unauthenticated) else {}
        return self._error(request, status, code, str(exc), challenge)

    async def _not_now(self, request: Request, exc: Exception) -> Response:
        """Answer for what Pinion cannot do at the moment and may do in a second."""
        status, code = getattr(exc, "status", 500), getattr(exc, "code", "api_error")
        return self._error(
            request,
            status,
            code,
            str(exc),
            {"retry-after": str(getattr(exc, "retry_after", 1)), "x-should-retry": "true"},
        )

    async def _not_here(self, request: Request, exc: Exception) -> Response:
        """Answer for what is no endpoint at all, or takes another method."""
        shown = request.scope["path"][:200]
        message = f"there is no endpoint {request.method} {shown}; see GET /v1/models for the routes"
        status, headers = getattr(exc, "status_code", 500), getattr(exc, "headers", None) or {}
        return self._error(request, status, NotFound.code, message, headers)

    def _error(self, request: Request, status: int, code: str, message: str, more: Mapping[str, str]) -> Response:
        is_anthropic = ANTHROPIC_HEADER in request.headers or request.scope["path"].startswith("/v1/messages")
        dialect = DIALECTS["anthropic" if is_anthropic else "openai"]
        request_id = self._new_id()
        body = dialect.error_body(status=status, code=code, message=message, request_id=request_id)
        headers = {"x-should-retry": "false", **more, "x-request-id": request_id}
        return Response(body, status, headers, media_type="application/json")


def _credential(request: Request) -> bytes | None:
    return headers.credential(headers.first_values(request.scope["headers"]))


def _openai_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "pinion"}


def _anthropic_model(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
