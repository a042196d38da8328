"""The operations API of the registry: versions with where they stand, who depends on them, deployments, and plans."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.act_body import read_body
from gateway.api.entrance import Entrance
from gateway.api.json_answer import json_answer
from gateway.api.origin import OriginOf
from gateway.control.live import Live
from gateway.control.planned import Planned
from gateway.control.registries import Registries
from gateway.control.serving import Serving
from gateway.control.status import (
    describe_deployment,
    describe_exception,
    describe_exceptions,
    describe_problem,
    exceptions_of,
)
from gateway.core.audit import By
from gateway.core.errors import OperatorFault, PolicyFault, UnknownSubject
from gateway.core.operator import Operator
from gateway.core.ports import Store
from gateway.core.provenance import provenance_of
from gateway.core.standing import Entry, Key, Kind, Standing
from gateway.core.text import storable

PATH = "/admin/v1/registry"
MAX_FILES_BODY = 16 * 1024 * 1024
"""Bytes; a policy set of a thousand routes has some five million."""

MAX_REASON = 500
MOST_DEPLOYMENTS = 1_000


class RegistryHandlers:
    """The handlers."""

    def __init__(self, live: Live, registries: Registries, serving: Serving, store: Store, origin: OriginOf) -> None:
        """`origin` says how an operator came."""
        self._live = live
        self._registries = registries
        self._serving = serving
        self._store = store
        self._origin = origin

    def routes(self, entrance: Entrance) -> list[Route]:
        """Give the routes, for the application that holds them."""
        version = f"{PATH}/{{kind}}/{{name}}/{{version}}"
        return [
            entrance.route(PATH, POST=self._register),
            entrance.route(f"{PATH}/{{kind}}", GET=self._list),
            entrance.route(version, GET=self._show),
            entrance.route(f"{version}/dependents", GET=self._dependents),
            entrance.route(f"{version}/deprecate", POST=self._deprecate),
            entrance.route(f"{version}/retire", POST=self._retire),
            entrance.route(f"{version}/revoke", POST=self._revoke),
            entrance.route("/admin/v1/deployments", GET=self._deployments),
            entrance.route("/admin/v1/plan", POST=self._plan),
        ]

    async def _register(self, request: Request, operator: Operator) -> Response:
        files = await _files(request)
        standings = await self._registries.register(files, operator.name, self._origin(request, operator))
        return json_answer({"registered": [told_standing(each) for each in standings]})

    async def _list(self, request: Request, operator: Operator) -> Response:
        del operator
        asked = {name: request.query_params.get(name, "") for name in ("use_case", "search")}
        found = await self._registries.listed(_kind(request), **asked)
        return json_answer({"versions": [told_entry(entry, standing) for entry, standing in found]})

    async def _show(self, request: Request, operator: Operator) -> Response:
        del operator
        entry, standing = await self._registries.shown(_key(request))
        told = {**told_entry(entry, standing), "content": dict(entry.content)}
        if entry.kind == "release":
            told["exceptions"] = exceptions_of(describe_exceptions(self._live), entry.name, entry.version)
        return json_answer(told)

    async def _dependents(self, request: Request, operator: Operator) -> Response:
        del operator
        found = await self._registries.dependents(_key(request))
        return json_answer({"dependents": [asdict(each) for each in found]})

    async def _deprecate(self, request: Request, operator: Operator) -> Response:
        wanted = await read_body(request, {"reason": str, "retire_at": float, "successor": str})
        reason, retire_at = _reason(wanted, "deprecated", operator), wanted.get("retire_at")
        if retire_at is not None and not math.isfinite(retire_at):
            raise HTTPException(400, "retire_at must be a time in seconds since 1970-01-01 UTC")
        successor = wanted.get("successor")
        key, by = _key(request), self._by(request, operator)
        after = await self._registries.deprecate(key, reason, by, retire_at=retire_at, successor=successor)
        return json_answer(told_standing(after))

    async def _retire(self, request: Request, operator: Operator) -> Response:
        reason = _reason(await read_body(request, {"reason": str}), "retired", operator)
        after = await self._registries.retire(_key(request), reason, self._by(request, operator))
        return json_answer(told_standing(after))

    async def _revoke(self, request: Request, operator: Operator) -> Response:
        reason = _reason(await read_body(request, {"reason": str}), "revoked", operator)
        after = await self._registries.revoke(_key(request), reason, self._by(request, operator))
        return json_answer(told_standing(after))

    def _by(self, request: Request, operator: Operator) -> By:
        return By(operator.name, self._origin(request, operator))

    async def _deployments(self, request: Request, operator: Operator) -> Response:
        del operator
        asked = request.query_params.get("limit", "100")
        if not asked.isdecimal() or len(asked) > 4 or not 1 <= int(asked) <= MOST_DEPLOYMENTS:
            raise OperatorFault(f"limit= is a whole number from 1 to {MOST_DEPLOYMENTS}")
        found = await self._store.deployments(request.query_params.get("route"), int(asked))
        return json_answer({"deployments": [describe_deployment(self._live.state.governance, each) for each in found]})

    async def _plan(self, request: Request, operator: Operator) -> Response:
        del operator
        files = await _files(request)
        try:
            return json_answer(told_plan(await self._serving.plan(files)))
        except PolicyFault as fault:
            return json_answer(
                {"accepted": False, "problems": [describe_problem(each) for each in fault.problems]}, 422
            )


def told_standing(standing: Standing) -> dict[str, Any]:
    """Tell where a version stands, as JSON; times in wall seconds."""
    return {**asdict(standing), "review": standing.review.value, "lifecycle": standing.lifecycle.value}


def told_entry(entry: Entry, standing: Standing) -> dict[str, Any]:
    """Tell a version: where it stands, what is known of it, and how complete that is."""
    provenance = provenance_of(entry.kind, entry.facts)
    return {
        **told_standing(standing),
        "facts": dict(entry.facts),
        "completeness": round(provenance.completeness, 4),
        "missing": list(provenance.missing),
    }


def told_plan(plan: Planned) -> dict[str, Any]:
    """Tell what a policy set would mean."""
    return {
        "accepted": True,
        "revision": plan.revision,
        "is_new": plan.is_new,
        "registers": [told_standing(each) for each in plan.registers],
        "changes": [told_standing(each) for each in plan.changes],
        "acts": [asdict(each) for each in plan.acts],
        "exceptions": [describe_exception(each, plan.at) for each in plan.exceptions],
        "warnings": [describe_problem(each) for each in plan.warnings],
    }


async def _files(request: Request) -> dict[str, str]:
    """Read the files of a body: name to text."""
    wanted = await read_body(request, {"files": dict}, MAX_FILES_BODY)
    files = wanted.get("files")
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise HTTPException(400, 'files must be an object of names and texts, as in {"files": {"a.yaml": "..."}}')
    return files


def _kind(request: Request) -> Kind:
    kind: Any = request.path_params["kind"]
    if kind not in get_args(Kind):
        raise UnknownSubject(f"no registry {kind[:50]!r}; there is {', '.join(get_args(Kind))}")
    return kind  # type: ignore[no-any-return]


def _key(request: Request) -> Key:
    """Give the version that a path names. A slash in a name is encoded twice, since the path is split once decoded."""
    name, version = (unquote(request.path_params[part]) for part in ("name", "version"))
    return _kind(request), name, version


def _reason(wanted: Mapping[str, Any], done: str, operator: Operator) -> str:
    return storable((wanted.get("reason") or f"{done} by {operator.name}")[:MAX_REASON])
