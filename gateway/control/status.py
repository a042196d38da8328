"""What serves now, told for people and programs: one JSON-able value."""

from collections.abc import Mapping
from typing import Any

from gateway.control.breakers import Breakers
from gateway.control.served_models import ServedModels
from gateway.control.serving import Reload, Serving
from gateway.core.errors import Problem
from gateway.core.rollout import Rollout
from gateway.core.route import Experiment, Route, Shadow


def status(serving: Serving, breakers: Breakers, served_models: ServedModels, now: float) -> dict[str, Any]:
    """Describe the whole gateway at monotonic time `now`."""
    live = serving.current
    return {
        "epoch": live.epoch,
        "revision": live.revision,
        "dev": live.dev,
        "open": live.open,
        "reload": None if serving.last_reload is None else describe_reload(serving.last_reload),
        "routes": [
            _route(route, serving.record_of(name).rollout, breakers, served_models, now)
            for name, route in sorted(live.routes.items())
        ],
    }


def describe_reload(reload: Reload) -> dict[str, Any]:
    """Describe how the last reload ended."""
    return {
        "result": "accepted" if reload.accepted else "rejected",
        "at": reload.at,
        "problems": [_problem(problem) for problem in reload.problems],
        "warnings": [_problem(problem) for problem in reload.warnings],
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
        "step": None if rollout.step is None else rollout.step + 1,
        "steps": len(rollout.plan.steps),
        "weight_ppm": rollout.weight_ppm,
        "plan": rollout.plan.name,
        "reason": rollout.reason,
        "actor": rollout.actor,
        "evidence": rollout.evidence,
        "started_at": rollout.started_at,
        "updated_at": rollout.updated_at,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"file": problem.file, "line": problem.line, "problem": problem.problem, "remedy": problem.remedy}


def _route(
    route: Route, rollout: Rollout | None, breakers: Breakers, served_models: ServedModels, now: float
) -> dict[str, Any]:
    return {
        "route": route.name,
        "dialect": route.dialect,
        "owner": route.owner,
        "stable": route.stable.version,
        "rollout": None if rollout is None else describe_rollout(rollout),
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
