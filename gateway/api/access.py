"""The operations API of access: keys and tokens issued and taken back, operators, and the review of it all."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.act_body import read_body
from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.access_review import issued_key, review
from gateway.control.access_uses import AccessUses
from gateway.control.keys import Keys
from gateway.control.live import Live
from gateway.core.access_use import AccessUse
from gateway.core.api_key import KeyKind
from gateway.core.duration import parse_duration
from gateway.core.errors import OperatorFault, StoreFault
from gateway.core.operator import Operator

ISSUE_FIELDS: Mapping[str, type] = {"expires": str}
ROTATE_FIELDS: Mapping[str, type] = {"key": str, "overlap": str, "expires": str}
DEFAULT_OVERLAP = "7d"


class AccessHandlers:
    """The handlers. An issued key is in the answer that issues it, and nowhere else."""

    def __init__(self, live: Live, keys: Keys, uses: AccessUses, origin: OriginOf, *, has_admin_token: bool) -> None:
        """`origin` says how an operator came."""
        self._live = live
        self._keys = keys
        self._uses = uses
        self._origin = origin
        self._has_admin_token = has_admin_token

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        return [
            entrance.route("/admin/v1/keys", GET=self._listed),
            entrance.route("/admin/v1/keys/{key}/revoke", POST=self._revoke_key),
            entrance.route("/admin/v1/apps/{name}/keys", POST=self._issue_key),
            entrance.route("/admin/v1/apps/{name}/rotate", POST=self._rotate),
            entrance.route("/admin/v1/operators", GET=self._operators),
            entrance.route("/admin/v1/operators/{name}/tokens", POST=self._issue_token),
            entrance.route("/admin/v1/tokens/{key}/revoke", POST=self._revoke_token),
            entrance.route("/admin/v1/access", GET=self._review),
        ]

    async def _listed(self, request: Request, operator: Operator) -> Response:
        del operator
        app = request.query_params.get("app")
        use, now = await self._use(), self._live.world.clock.wall()
        return json_answer({"keys": [issued_key(key, use, now) for key in self._keys.all_of("app", app)]})

    async def _operators(self, request: Request, operator: Operator) -> Response:
        del request, operator
        told = review(self._live, await self._use(), has_admin_token=self._has_admin_token)["operators"]
        return json_answer({"operators": sorted(told, key=lambda each: each["name"])})

    async def _review(self, request: Request, operator: Operator) -> Response:
        del request, operator
        return json_answer(review(self._live, await self._uses.latest(), has_admin_token=self._has_admin_token))

    async def _issue_key(self, request: Request, operator: Operator) -> Response:
        return await self._issue("app", request, operator)

    async def _issue_token(self, request: Request, operator: Operator) -> Response:
        return await self._issue("operator", request, operator)

    async def _issue(self, kind: KeyKind, request: Request, operator: Operator) -> Response:
        wanted = await read_body(request, ISSUE_FIELDS)
        lasts = _seconds("expires", wanted.get("expires"))
        name, origin = request.path_params["name"], self._origin(request, operator)
        key, text = await self._keys.issue(kind, name, operator.name, lasts, origin)
        return _shown_once({"secret": text, **issued_key(key, AccessUse(), key.created_at)})

    async def _rotate(self, request: Request, operator: Operator) -> Response:
        wanted = await read_body(request, ROTATE_FIELDS)
        overlap = _seconds("overlap", wanted.get("overlap", DEFAULT_OVERLAP)) or 0.0
        lasts = _seconds("expires", wanted.get("expires"))
        name = request.path_params["name"]
        origin = self._origin(request, operator)
        made, old, text = await self._keys.rotate(name, wanted.get("key"), operator.name, overlap, lasts, origin)
        now = made.created_at
        return _shown_once(
            {"secret": text, **issued_key(made, AccessUse(), now), "replaces": issued_key(old, AccessUse(), now)}
        )

    async def _revoke_key(self, request: Request, operator: Operator) -> Response:
        return await self._revoke("app", request, operator)

    async def _revoke_token(self, request: Request, operator: Operator) -> Response:
        return await self._revoke("operator", request, operator)

    async def _revoke(self, kind: KeyKind, request: Request, operator: Operator) -> Response:
        await read_body(request, {})
        key = self._keys.revoke(kind, request.path_params["key"], operator.name, self._origin(request, operator))
        await self._live.caught_up_if_possible()
        told = issued_key(key, AccessUse(), self._live.world.clock.wall())
        return json_answer({**told, "is_recorded": not len(self._live.recording)})

    async def _use(self) -> AccessUse:
        """Give what was used; while the store is away nothing of it is known, and the rest is told all the same."""
        try:
            return await self._uses.latest()
        except StoreFault:
            return AccessUse()


def _seconds(name: str, text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise OperatorFault(f"{name}: {error}") from error


def _shown_once(value: Any) -> Response:
    """Answer with a secret, which nobody on the way is to keep."""
    answer = json_answer(value)
    answer.headers["cache-control"] = "no-store"
    return answer
