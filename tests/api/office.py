"""An operations API over a real control, and a client of it."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from gateway.adapters.ed25519_keys import verify
from gateway.api.operations import Desk, Operations
from gateway.control.approvals import Approvals
from gateway.control.audit_reading import AuditReading
from gateway.control.compliance import Compliance
from gateway.control.experiments import Experiments
from gateway.control.registries import Registries
from gateway.control.served_models import ServedModels
from gateway.core.api_key import digest_of, named_key
from gateway.core.audit import AuditAct
from gateway.core.errors import StoreFault
from tests.control.audit_world import Trail
from tests.control.serving_world import TokenVerifier, files, rolling, route, serving

TOKEN = "operator-token-0123456789"
VERBS = ("start", "promote", "pause", "resume", "rollback", "retry", "undo")
READING = ["/admin/v1/status", "/admin/v1/explain?route=desk&unit=ada", "/admin/v1/rollouts/desk"]
ACTS = ["/admin/v1/reload", *(f"/admin/v1/rollouts/desk/{verb}" for verb in VERBS)]
OPEN = ["/healthz", "/readyz", "/metrics", "/admin/v1/openapi.json"]


@dataclass
class Ledger:
    """Port `Ledger`: what was recorded, or a fault."""

    records: dict[str, Any] = field(default_factory=dict)
    away: bool = False
    seen: list[Any] = field(default_factory=list)

    async def find(self, request_id):
        if self.away:
            raise StoreFault("the ledger is away")
        return self.records.get(request_id)

    async def traffic(self, routes, since):
        return [each for each in self.seen if each.route in routes and each.last_at >= since]


def token_of(name: str) -> str:
    """The token of an operator of these tests."""
    return named_key("operator", "00000000", name.replace("-", "").rjust(32, "0"))


def operator(name: str, more: str = "") -> str:
    """The document of an operator with that token; `more` are further keys of it."""
    digest = digest_of(token_of(name))
    return f'---\nkind: operator\nname: {name}\ntokens: [{{sha256: "{digest}"}}]\n{more}\n'


STAFF = {
    "viewer": "roles: [viewer]",
    "auditor": "roles: [auditor]",
    "author": "roles: [author]",
    "evaluator": "roles: [evaluator]",
    "operator": "roles: [operator]",
    "admin": "roles: [admin]",
    "approver": "signs_for: [security]",
    "service": "person: false",
}
"""What makes an operator of each role."""


def staffed() -> str:
    """A document for an operator of each role, each named for it."""
    return "".join(operator(f"the-{role}", more) for role, more in STAFF.items())


class Office:
    """An operations API over a real control, and a client of it."""

    def __init__(self, process, token, more: str = "") -> None:
        self.process = process
        self.ledger, self.verifier = Ledger(), TokenVerifier()
        self.why_not: str | None = None
        self.files = {**rolling(), "more.yaml": more} if more else rolling()
        self.noted: list[AuditAct] = []
        self.trail = Trail(process.store)
        audit = AuditReading(process.store, self.trail, verify)
        desk = Desk(
            live=process.live,
            serving=process.serving,
            rollouts=process.rollouts,
            judging=process.judging,
            registries=Registries(process.live, self.ledger),
            approvals=Approvals(process.live, process.serving.considered),
            experiments=Experiments(lambda: process.live.state, self.ledger, process.clock),
            breakers=process.breakers,
            served_models=ServedModels(process.meters, process.journal, process.rollouts.trip),
            store=process.store,
            audit=audit,
            compliance=Compliance(process.live, process.store, audit.checkpoint, 183 * 86_400.0),
            note=self.noted.append,
            ledger=self.ledger,
            clock=process.clock,
            ready=lambda: self.why_not,
            reload=lambda: process.serving.reload(self.files),
            exposition=lambda accept: (f"# for {accept}\n".encode(), "text/plain; version=1.0.0"),
            extra_status=lambda: {"version": "0.0.0"},
            keys=process.keys,
            app_limits=process.app_limits,
            access_uses=process.access_uses,
            verifier=self.verifier,
        )
        self.application = Operations(desk, token).application()

    def client(self, host: str = "127.0.0.1:8081", **headers: str) -> httpx2.AsyncClient:
        """A client that names `host`."""
        transport = httpx2.ASGITransport(self.application)
        return httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8081", headers={"host": host, **headers}
        )

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """GET a path."""
        async with self.client(**headers) as client:
            return await client.get(path)

    async def act(self, path: str, content: Any = b"{}", **headers: str) -> httpx2.Response:
        """POST an act; `content` that is no bytes is sent as JSON."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        async with self.client(**{"content-type": "application/json", **headers}) as client:
            return await client.post(path, content=raw)


@asynccontextmanager
async def office(token: str | None = None, more: str = ""):
    """An office whose one route has a running rollout; `more` are further documents of its policies."""
    async with serving(files(route())) as process:
        found = Office(process, token, more)
        await process.serving.reload(found.files)
        yield found


def said(answer: httpx2.Response) -> str:
    """The message of a refusal."""
    return answer.json()["error"]["message"]
