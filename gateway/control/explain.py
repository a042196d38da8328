"""Why: which release a unit gets, how a past request was decided, and what became of a rollout."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gateway.control.live import Live
from gateway.control.status import describe_deployment, describe_exceptions, describe_rollout, exceptions_of
from gateway.core.admission import Excepted, Governance
from gateway.core.approval import Request
from gateway.core.assignment import Facts, assign
from gateway.core.deployment import Deployment
from gateway.core.errors import UnknownSubject
from gateway.core.plan import Step
from gateway.core.record import Record
from gateway.core.recorded import RolloutEvent
from gateway.core.rollout import Rollout
from gateway.core.standing import Standing
from gateway.core.unit import Unit


def explain_unit(live: Live, name: str, value: str) -> dict[str, Any]:
    """Say which release a bare unit gets on a route, and why. Rules that ask for more than the unit do not match.

    With what lets that release serve without an approval.

    Raises:
        UnknownSubject: no such route.
    """
    snapshot = live.current
    route = snapshot.routes.get(name)
    if route is None:
        raise UnknownSubject.route(name, snapshot.routes)
    facts = Facts(app="", found_unit=Unit(value, "given"), input_chars=0, header=_no_header)
    assignment = assign(route, facts)
    salt = route.experiment.salt if route.experiment is not None else route.canary.salt if route.canary else None
    return {
        "route": name,
        "unit": value,
        "release": str(assignment.release),
        "version": assignment.release.version,
        "track": assignment.track,
        "why": assignment.why,
        "bucket": assignment.bucket,
        "salt": None if salt is None else salt.text,
        "model": str(assignment.release.model),
        "prompt": None if assignment.release.prompt is None else str(assignment.release.prompt),
        "context": dict(assignment.release.context),
        "weights_ppm": {version: route.weight_ppm(version) for version in route.releases},
        "out": dict(route.out),
        "exceptions": exceptions_of(describe_exceptions(live), name, assignment.release.version),
        "epoch": snapshot.epoch,
    }


def _no_header(name: str) -> None:
    del name


def explain_request(
    record: Record,
    versions: Sequence[Standing],
    deployments: Sequence[Deployment],
    governance: Governance,
    requests: Sequence[Request] = (),
) -> dict[str, Any]:
    """Tell a past request's decision as it was recorded, with what was registered of its release, and why it served.

    `versions` are where the release and its parts stand now: a digest never changes once it has served. `deployments`
    are those of the route, `governance` and the `requests` for releases of it know what admitted them.
    """
    told = asdict(record)
    told["versions"] = [
        {"version": str(each), "digest": each.digest, "review": each.review.value, "lifecycle": each.lifecycle.value}
        for each in versions
    ]
    within = next((each for each in deployments if _served(each, record)), None)
    told["deployment"] = None if within is None else _deployment(governance, within)
    words: Sequence[Request | Excepted] = (*requests, *governance.exceptions)
    word = next((each for each in words if within is not None and each.id == within.approval), None)
    told["approval"] = None if word is None else _word(word)
    del told["cost_nano_usd"]
    told["cost_usd"] = record.cost_usd
    told["attempts"] = [dict(attempt) for attempt in told["attempts"]]
    return told


def _served(deployment: Deployment, record: Record) -> bool:
    """Say whether a request was answered within a stretch of serving; forced ones are within none."""
    began = record.at - record.seconds
    place = (record.route, record.release, record.track)
    return deployment.place == place and deployment.since <= began < (deployment.until or math.inf)


def _deployment(governance: Governance, deployment: Deployment) -> dict[str, Any]:
    known = ("environment", "since", "until", "why", "actor", "approval", "admitted_by")
    told = describe_deployment(governance, deployment)
    return {name: told[name] for name in known}


def _word(word: Request | Excepted) -> dict[str, Any]:
    """Tell on whose word a release served: who signed what, or who excepted it."""
    if isinstance(word, Excepted):
        kind = "emergency" if word.is_emergency else "exception"
        return {
            "kind": kind,
            "id": word.id,
            "digest": word.digest,
            "owner": word.owner,
            "reason": word.reason,
            "until": word.until,
        }
    return {
        "kind": "approval",
        "id": word.id,
        "digest": word.digest,
        "requester": word.requester,
        "at": word.ended_at,
        "signed": [{"person": each.person, "role": each.role, "at": each.at} for each in word.sign_offs],
    }


def explain_rollout(
    rollout: Rollout, history: Sequence[RolloutEvent], judged: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Tell a route's latest rollout with every act on it, the newest first, and every guardrail by name.

    `judged` is what its step has shown and waits for now; None where it is judged no more.
    """
    return {
        **describe_rollout(rollout),
        "plan_steps": [_step(step) for step in rollout.plan.steps],
        "judged": judged,
        "guardrails": [_criterion(guardrail) for guardrail in rollout.plan.guardrails],
        "signals": [_criterion(signal) for signal in rollout.plan.signals],
        "events": [_event(event) for event in history if event.rollout.id == rollout.id],
    }


def _step(step: Step) -> Mapping[str, Any]:
    """Tell a step of a plan by what it states; shares in parts per million, times in seconds."""
    told = {name: held for name, held in asdict(step).items() if held is not None and held is not False}
    return {**told, "guardrails": [_criterion(guardrail) for guardrail in step.guardrails]}


def _criterion(criterion: Any) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(criterion).items() if value is not None}


def _event(event: RolloutEvent) -> Mapping[str, Any]:
    rollout = event.rollout
    return {
        "at": event.at,
        "verb": event.verb,
        "state": rollout.state.value,
        "step": rollout.step_number,
        "weight_ppm": rollout.weight_ppm,
        "actor": rollout.actor,
        "reason": rollout.reason,
        "holds": list(rollout.holds),
        "evidence": rollout.evidence,
    }
