"""What serves now, told for people and programs: one JSON-able value."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.control.breakers import Breakers
from gateway.control.live import Live
from gateway.control.served_models import ServedModels
from gateway.control.serving import Reload
from gateway.core.admission import Excepted, Governance
from gateway.core.deployment import Deployment
from gateway.core.errors import Problem
from gateway.core.rollout import Rollout
from gateway.core.route import Experiment, Route, Shadow
from gateway.core.route_record import RouteRecord


def status(
    live: Live, last_reload: Reload | None, breakers: Breakers, served_models: ServedModels, now: float
) -> dict[str, Any]:
    """Describe the whole gateway at monotonic time `now`."""
    serves, excepted = live.current, describe_exceptions(live)
    return {
        "epoch": serves.epoch,
        "revision": serves.revision,
        "dev": serves.dev,
        "open": serves.open,
        "reload": None if last_reload is None else describe_reload(last_reload),
        "routes": [
            _route(route, live.record_of(name), breakers, served_models, excepted, now)
            for name, route in sorted(serves.routes.items())
        ],
    }


def describe_reload(reload: Reload) -> dict[str, Any]:
    """Describe how the last reload ended."""
    return {
        "result": "accepted" if reload.accepted else "rejected",
        "at": reload.at,
        "problems": [describe_problem(problem) for problem in reload.problems],
        "warnings": [describe_problem(problem) for problem in reload.warnings],
    }


def describe_rollout(rollout: Rollout) -> dict[str, Any]:
    """Describe a rollout and how far it has come."""
    return {
        "id": rollout.id,
        "route": rollout.route,
        "from": rollout.stable,
        "candidate": rollout.candidate,
        "attempt": rollout.attempt,
        "state": rollout.state.value,
        "step": rollout.step_number,
        "steps": len(rollout.plan.steps),
        "weight_ppm": rollout.weight_ppm,
        "shadow_ppm": rollout.shadow_ppm,
        "plan": rollout.plan.name,
        "strategy": rollout.plan.strategy,
        "holds": list(rollout.holds),
        "reason": rollout.reason,
        "actor": rollout.actor,
        "evidence": rollout.evidence,
        "started_at": rollout.started_at,
        "entered_at": rollout.entered_at,
        "updated_at": rollout.updated_at,
    }


def describe_problem(problem: Problem) -> dict[str, Any]:
    """Describe a problem, or a warning, of a policy set."""
    return {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}


def describe_exceptions(live: Live) -> list[dict[str, Any]]:
    """Describe every exception and emergency that lasts here."""
    now = live.world.clock.wall()
    return [describe_exception(each, now) for each in live.state.governance.lasting(live.terms.environment, now)]


def describe_exception(made: Excepted, now: float) -> dict[str, Any]:
    """Describe an exception as it is at wall time `now`; times in wall seconds."""
    return {**asdict(made), "kind": made.kind(now), "is_overdue": made.is_overdue(now)}


def exceptions_of(excepted: list[dict[str, Any]], route: str, version: str) -> list[dict[str, Any]]:
    """Give of described exceptions those of a release."""
    return [each for each in excepted if (each["name"], each["version"]) == (route, version)]


def describe_deployment(governance: Governance, deployment: Deployment) -> dict[str, Any]:
    """Describe a stretch of serving, and whether what admitted it is an approval, an exception or an emergency."""
    word = None if deployment.approval is None else governance.word_of(deployment.approval)
    return {**asdict(deployment), "admitted_by": word}


def _route(
    route: Route,
    record: RouteRecord,
    breakers: Breakers,
    served_models: ServedModels,
    excepted: list[dict[str, Any]],
    now: float,
) -> dict[str, Any]:
    return {
        "route": route.name,
        "dialect": route.dialect,
        "owner": route.owner,
        "stable": route.stable.version,
        "rollout": None if record.rollout is None else describe_rollout(record.rollout),
        "former": [{"release": former.version, "until": former.until} for former in record.former],
        "experiment": None if route.experiment is None else _experiment(route.experiment),
        "shadow": None if route.shadow is None else _shadow(route.shadow),
        "fallback": [release.version for release in route.fallback],
        "releases": [
            {
                "release": version,
                "model": str(release.model),
                "prompt": None if release.prompt is None else str(release.prompt),
                "provider": release.model.provider.name,
                "digest": release.digest,
                "weight_ppm": route.weight_ppm(version),
                "out": route.out.get(version),
                "breaker": dict(breakers.describe(route.name, version, now)),
                "served": dict(served_models.describe(route.name, version)),
                "exceptions": exceptions_of(excepted, route.name, version),
            }
            for version, release in route.releases.items()
        ],
    }


def _experiment(experiment: Experiment) -> Mapping[str, Any]:
    return {
        "name": experiment.name,
        "arms": [
            {"arm": arm.name, "release": arm.release.version, "range": [arm.range.start, arm.range.end]}
            for arm in experiment.arms
        ],
    }


def _shadow(shadow: Shadow) -> Mapping[str, Any]:
    return {"release": shadow.release.version, "ppm": shadow.ppm}
