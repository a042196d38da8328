"""The evidence that the record holds for the clauses of the frameworks, from what serves and what is stored."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from gateway.control.live import Live
from gateway.control.policies import Policies
from gateway.core.clauses import Kind
from gateway.core.compliance import Evidence, evidence_of, rows
from gateway.core.deployment import tracks_of
from gateway.core.errors import UnknownSubject
from gateway.core.metric import is_feedback
from gateway.core.ports import Store
from gateway.core.provenance import provenance_of
from gateway.core.standing import Entry, Standing

FORMAT = "1"
LOG_DAYS = 183
"""For how long logs are kept at least: six months (EU AI Act, articles 19(1) and 26(6))."""

MOST_DEPLOYMENTS = 1_000

Held = Mapping[str, str | None]
Entries = list[tuple[Entry, Standing]]


class Compliance:
    """Makes an export. Every method raises StoreFault where the store cannot be read."""

    def __init__(
        self, live: Live, store: Store, checkpoint: Callable[[], Awaitable[dict[str, Any]]], retention_seconds: float
    ) -> None:
        """`checkpoint` gives the latest signed one of the audit trail; records are kept for `retention_seconds`."""
        self._live = live
        self._store = store
        self._checkpoint = checkpoint
        self._retention = retention_seconds

    async def export(self) -> dict[str, Any]:
        """Give a row for each clause, the latest checkpoint of the audit trail, and when this is as of, as JSON."""
        try:
            checkpoint = await self._checkpoint()
        except UnknownSubject:
            checkpoint = None
        models = list(await self._store.entries("model"))
        datasets = list(await self._store.entries("dataset"))
        deployments = await self._store.deployments(None, MOST_DEPLOYMENTS)
        policies = self._live.state.policies
        found = [
            *_of_models(models, policies),
            *_of_routes(policies),
            _datasets(models, datasets),
            _deployments(f"{each.route}/{each.release} ({each.track})" for each in deployments),
            self._approvals(),
            _requests(self._retention),
            _audit(checkpoint),
        ]
        return {
            "format": FORMAT,
            "as_of": self._live.world.clock.wall(),
            "environment": self._live.terms.environment,
            "policy_revision": policies.revision,
            "audit_checkpoint": checkpoint,
            "rows": [asdict(row) for row in rows({each.kind: each for each in found})],
        }

    def _approvals(self) -> Evidence:
        """Gather the releases in service that serve by an approval; missing are the others, excepted or ungoverned."""
        governance, environment = self._live.state.governance, self._live.terms.environment
        serving = {(route.name, each) for route in self._live.current.routes.values() for each, _ in tracks_of(route)}
        found = {place: governance.admission_of((environment, *place)) for place in sorted(serving)}
        held = {
            "/".join(place): admission.digest
            for place, admission in found.items()
            if admission is not None and admission.approval_id is not None
        }
        return _shared("approvals", "releases in service by an approval", held, map("/".join, found))


def _of_models(models: Entries, policies: Policies) -> Iterable[Evidence]:
    """Gather what is told of the model versions that have served, or may."""
    current = {f"{entry.name}@{entry.version}": (entry, standing) for entry, standing in models if _is_in_use(standing)}
    told: tuple[tuple[Kind, str, str], ...] = (
        ("purposes", "use_cases", "model versions with their use cases"),
        ("limitations", "limitations", "model versions with their limitations"),
        ("materiality", "materiality", "model versions with their materiality"),
        ("validators", "validator", "model versions with an independent validator"),
        ("reviews", "review_by", "model versions with the day of their next review"),
        ("evaluations", "evaluations", "model versions with evaluation results"),
    )
    for kind, fact, said in told:
        held = {name: standing.facts_digest for name, (entry, standing) in current.items() if entry.facts.get(fact)}
        yield _shared(kind, said, held, current)
    whole = {
        name: standing.facts_digest
        for name, (entry, standing) in current.items()
        if not provenance_of("model", entry.facts).missing
    }
    yield _shared("provenance", "model versions with whole provenance", whole, current)
    pinned = {
        name: standing.digest
        for name, (_, standing) in current.items()
        if name in policies.models and policies.models[name].served_model is not None
    }
    yield _shared("upstreams", "model versions at one exact upstream name", pinned, current)
    cards = {name: policies.cards[name].card.digest for name in current if name in policies.cards}
    yield _shared("cards", "model versions with a card", cards, current)


def _of_routes(policies: Policies) -> Iterable[Evidence]:
    """Gather what the routes declare."""
    routes = policies.routes
    owned: dict[str, str | None] = {name: None for name, route in routes.items() if route.owner is not None}
    yield _shared("owners", "routes with an owner", owned, routes)
    guarded: dict[str, str | None] = {name: None for name, route in routes.items() if route.plan.guardrails}
    yield _shared("guardrails", "routes whose plan has guardrails, beside the breaker of each", guarded, routes)
    stoppable: dict[str, str | None] = dict.fromkeys(routes)
    yield _shared("stops", "routes whose releases are rolled back, undone or revoked by one command", stoppable, routes)
    heard = {name for name, route in routes.items() if any(map(is_feedback, _metrics(policies, name)))}
    yield _shared("feedback", "routes that are judged by feedback", dict.fromkeys(heard), routes)
    apps: dict[str, str | None] = dict.fromkeys(policies.callers)
    yield evidence_of("dependents", f"{len(apps)} applications are declared, and each request names its own", apps)


def _metrics(policies: Policies, route: str) -> Iterable[str]:
    policy = policies.routes[route]
    yield from (each.metric for each in (*policy.plan.guardrails, *policy.plan.signals))
    if policy.experiment is not None:
        yield from (policy.experiment.primary or "", *policy.experiment.secondary)


def _datasets(models: Entries, datasets: Entries) -> Evidence:
    """Gather the datasets; missing are those of model versions that name none they were trained on."""
    held = {f"{entry.name}@{entry.version}": standing.digest for entry, standing in datasets}
    silent = [
        f"{entry.name}@{entry.version}"
        for entry, standing in models
        if _is_in_use(standing) and not entry.facts.get("data", {}).get("training")
    ]
    return evidence_of("datasets", f"{len(held)} dataset versions with origin, rows and gaps", held, tuple(silent))


def _deployments(places: Iterable[str]) -> Evidence:
    held: dict[str, str | None] = dict.fromkeys(places)
    return evidence_of("deployments", f"{len(held)} releases on their tracks, with from when to when and why", held)


def _requests(retention: float) -> Evidence:
    days = int(retention / 86_400)
    missing = () if days >= LOG_DAYS else (f"records older than {days} days; six months are {LOG_DAYS}",)
    return evidence_of("requests", f"each request leaves a record, kept for {days} days", {"ledger": None}, missing)


def _audit(checkpoint: Mapping[str, Any] | None) -> Evidence:
    if checkpoint is None:
        return evidence_of("audit", "each change leaves an entry", {"trail": None}, ("a signed checkpoint",))
    said = f"each change leaves an entry; {checkpoint['size']} are under a signed checkpoint"
    return evidence_of("audit", said, {"checkpoint": checkpoint["root"]})


def _is_in_use(standing: Standing) -> bool:
    return standing.is_frozen and standing.why_out(standing.changed_at) is None


def _shared(kind: Kind, said: str, held: Held, of: Iterable[str]) -> Evidence:
    """Make evidence of what some of many have."""
    names = list(of)
    missing = tuple(name for name in names if name not in held)
    return evidence_of(kind, f"{len(held)} of {len(names)} {said}", held, missing)
