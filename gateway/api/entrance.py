"""The entrance of the operations API: who asks is identified, and needs the permission that the route states.

The law: a route is served only if the table states its permission, or it is one of the few that are open.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.control.access_uses import AccessUses
from gateway.control.identification import Identification
from gateway.core.access import GRANTED, PERMITTED, PERSONAL, Permission, permitted
from gateway.core.address import is_loopback
from gateway.core.errors import NotPermitted, Unidentified
from gateway.core.operator import Operator
from gateway.core.ports import Journal

OPEN: frozenset[str] = frozenset({"/healthz", "/readyz", "/metrics", "/admin/v1/openapi.json"})
"""Paths that never ask who it is: probes and Prometheus have no token, and nothing in them is secret."""

PERMISSION_OF: Mapping[tuple[str, str], Permission] = {
    ("GET", "/admin/v1/status"): "status.read",
    ("GET", "/admin/v1/apps/limits"): "status.read",
    ("GET", "/admin/v1/explain"): "explain.read",
    ("POST", "/admin/v1/reload"): "policy.reload",
    ("GET", "/admin/v1/rollouts/{route}"): "explain.read",
    ("POST", "/admin/v1/rollouts/{route}/rollback"): "rollout.stop",
    ("POST", "/admin/v1/rollouts/{route}/{verb}"): "rollout.act",
    ("GET", "/admin/v1/experiments/{route}"): "experiment.read",
    ("GET", "/admin/v1/experiments/{route}/exposures"): "exposures.export",
    ("POST", "/admin/v1/registry"): "registry.register",
    ("GET", "/admin/v1/registry/{kind}"): "registry.read",
    ("GET", "/admin/v1/registry/{kind}/{name}/{version}"): "registry.read",
    ("GET", "/admin/v1/registry/{kind}/{name}/{version}/dependents"): "registry.read",
    ("POST", "/admin/v1/registry/{kind}/{name}/{version}/deprecate"): "registry.retire",
    ("POST", "/admin/v1/registry/{kind}/{name}/{version}/retire"): "registry.retire",
    ("POST", "/admin/v1/registry/{kind}/{name}/{version}/revoke"): "release.revoke",
    ("GET", "/admin/v1/deployments"): "registry.read",
    ("POST", "/admin/v1/plan"): "policy.plan",
    ("GET", "/admin/v1/releases/{route}/{version}/figures"): "card.read",
    ("GET", "/admin/v1/compliance"): "compliance.export",
    ("GET", "/admin/v1/audit"): "audit.read",
    ("GET", "/admin/v1/audit/verify"): "audit.read",
    ("GET", "/admin/v1/audit/checkpoint"): "audit.read",
    ("GET", "/admin/v1/audit/proof"): "audit.read",
    ("GET", "/admin/v1/audit/consistency"): "audit.read",
    ("GET", "/admin/v1/audit/export"): "audit.export",
    ("POST", "/admin/v1/audit/forget"): "audit.forget",
    ("GET", "/admin/v1/keys"): "access.review",
    ("POST", "/admin/v1/keys/{key}/revoke"): "key.revoke",
    ("POST", "/admin/v1/apps/{name}/keys"): "key.issue",
    ("POST", "/admin/v1/apps/{name}/rotate"): "key.issue",
    ("GET", "/admin/v1/operators"): "access.review",
    ("POST", "/admin/v1/operators/{name}/tokens"): "operator.token",
    ("POST", "/admin/v1/tokens/{key}/revoke"): "operator.token",
    ("GET", "/admin/v1/access"): "access.review",
    ("GET", "/admin/v1/approvals"): "registry.read",
    ("GET", "/admin/v1/releases/{route}/{version}/review"): "registry.read",
    ("POST", "/admin/v1/releases/{route}/{version}/request"): "release.request",
    ("POST", "/admin/v1/releases/{route}/{version}/withdraw"): "release.request",
    ("POST", "/admin/v1/releases/{route}/{version}/sign"): "release.sign",
    ("POST", "/admin/v1/releases/{route}/{version}/reject"): "release.sign",
    ("POST", "/admin/v1/releases/{route}/{version}/except"): "release.exception",
    ("POST", "/admin/v1/releases/{route}/{version}/emergency"): "release.exception",
    ("POST", "/admin/v1/approvals/policies/{name}/request"): "release.request",
    ("POST", "/admin/v1/approvals/policies/{name}/withdraw"): "release.request",
    ("POST", "/admin/v1/approvals/policies/{name}/sign"): "release.sign",
    ("POST", "/admin/v1/approvals/policies/{name}/reject"): "release.sign",
}
"""The one table: what each method of each path needs."""

Handler = Callable[[Request, Operator], Awaitable[Response]]
"""Answers a request of an operator who may ask it."""

Denied = Callable[[Request, str, Operator | None, str, int], None]
"""Told of a refusal: the request, its path as the table has it, the operator, why, and the status."""

MAX_SHOWN = 200
"""How much of a path is written to the journal."""


class Entrance:
    """Makes the routes of the operations API, each behind its permission."""

    def __init__(self, identification: Identification, journal: Journal, uses: AccessUses, note: Denied) -> None:
        """`note` is told of each refusal, for the audit trail."""
        self._identification = identification
        self._journal = journal
        self._uses = uses
        self._note = note

    def open(self, path: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
        """Make a route that asks nobody who it is.

        Raises:
            LookupError: it is not one of those that are open.
        """
        if path not in OPEN:
            raise LookupError(f"{path} is not open to everybody; give it a permission")
        return Route(path, handler)

    def route(self, path: str, **handlers: Handler) -> Route:
        """Make a route of its handlers by method, in capitals.

        Raises:
            LookupError: the table states no permission for one of them.
        """
        needed = {method: PERMISSION_OF[method, path] for method in handlers}

        async def endpoint(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            operator = await self._admitted(request, path, needed[method], acts=method != "GET")
            return await handlers[method](request, operator)

        return Route(path, endpoint, methods=list(handlers))

    async def _admitted(self, request: Request, path: str, permission: Permission, *, acts: bool) -> Operator:
        """Name the operator who asks, if they may.

        A web page open on this machine could ask too: an act must carry JSON, which a browser sends across origins only
        with a leave that is never given here.

        Raises:
            HTTPException: 415 for an act without JSON.
            Unidentified: nobody is known by what was sent.
            NotPermitted: the operator may not do this, or is nobody and names another host than loopback.
        """
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if acts and content_type != "application/json":
            raise HTTPException(415, "send the act as application/json")
        names_loopback, bearer = _names_loopback(request.headers.get("host", "")), _bearer(request)
        try:
            operator = await self._identification.identify(bearer, names_loopback=names_loopback)
        except (Unidentified, NotPermitted) as fault:
            self._denied(None, permission, request, fault.message)
            self._note(request, path, None, fault.message, fault.status)
            raise
        if not operator.may(permission):
            why = _why_not(operator, permission)
            self._denied(operator, permission, request, why)
            self._note(request, path, operator, why, NotPermitted.status)
            raise NotPermitted(why)
        self._uses.note(operator, permission, bearer)
        return operator

    def _denied(self, operator: Operator | None, permission: Permission, request: Request, why: str) -> None:
        """Tell of a refusal: the one place that does. Never a token, nor what else was sent."""
        self._journal.event(
            "access_denied",
            level="warning",
            operator=None if operator is None else operator.name,
            identified=None if operator is None else operator.identified,
            permission=permission,
            method=request.method,
            path=request.url.path[:MAX_SHOWN],
            message=why,
        )


def _bearer(request: Request) -> str | None:
    """Give the Bearer token of a request; None where there is none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def _names_loopback(host: str) -> bool:
    """Say whether a Host header, its port aside, is loopback's own name or address; no page omits it."""
    name, _, port = host.rpartition(":")
    bare = name if port.isdecimal() else host
    return bare == "" or is_loopback(bare[1:-1] if bare.startswith("[") else bare)


def _why_not(operator: Operator, permission: Permission) -> str:
    """Say why an operator may not do something, and what would let them."""
    if permission in PERSONAL:
        if not operator.is_person:
            return f"{permission} is for persons alone, and {operator.name} is none"
        if permission in permitted(operator.roles):
            return (
                f"{permission} takes a token of {operator.name}'s own making, or the identity provider: "
                "one that was issued may have been in other hands"
            )
    having = [role for role in (*GRANTED, "approver") if permission in PERMITTED[role]]
    return f"operator {operator.name} may not do {permission}; it takes the role {' or '.join(having)}"
