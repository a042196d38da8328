"""What each change to the store means for the audit trail: derived here alone, so that no change goes without it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway.core.api_key import IssuedKey
from gateway.core.audit import BY_POLICY, AuditAct, By, Origin, Target
from gateway.core.digest import digest, finite
from gateway.core.plan import Plan
from gateway.core.recorded import ArmOut, ExperimentStart, RolloutEvent, RouteMove, ServedVersion
from gateway.core.rollout import Rollout
from gateway.core.route_record import GATEWAY, POLICY, RouteRecord
from gateway.core.standing import Entry, Standing


def acts_of_move(move: RouteMove, at: float) -> Iterator[AuditAct]:
    """Tell what a route's move means: one act for each of its events, or one for a record that has none.

    `at` is the wall time of a move without events: a first deployment, or a `serve:` line that starts no rollout.
    """
    before = None if move.before is None else digest(_standing(move.before))
    after = digest(_standing(move.record))
    for event in move.events:
        yield replace(_act_of_event(event, move), before_digest=before, after_digest=after)
    if not move.events:
        record = move.record
        yield AuditAct(
            at=at,
            actor=POLICY,
            action="route.deploy" if move.after == 0 else "route.serve_line",
            target=Target("route", record.route, record.stable),
            origin=move.origin,
            before_digest=before,
            after_digest=after,
            details={"serve": record.serve_line},
        )


def act_of_experiment(start: ExperimentStart) -> AuditAct:
    """Tell that an experiment began, with the share of each arm in parts per million."""
    arms = {f"arm.{name}": f"{release} {share}" for name, release, share in start.arms}
    target = Target("experiment", f"{start.route}/{start.name}")
    return AuditAct(start.at, POLICY, "experiment.start", target, BY_POLICY, details=arms)


def act_of_arm_out(arm: ArmOut) -> AuditAct:
    """Tell that an arm was taken out of traffic, with the digest of what it rests on."""
    return AuditAct(
        arm.at,
        GATEWAY,
        "experiment.arm_out",
        Target("experiment", f"{arm.route}/{arm.experiment}", arm.release),
        reason=arm.reason,
        details={"evidence": digest(finite(arm.evidence))},
    )


def act_of_entry(entry: Entry, standing: Standing, origin: Origin) -> AuditAct:
    """Tell that a version was registered, or told anew; what a file registers, the policy set does."""
    actor = POLICY if origin.kind == "policy" else standing.author or POLICY
    action = "version.register" if standing.revision == 1 else "version.amend"
    target = Target(entry.kind, entry.name, entry.version, standing.digest)
    return AuditAct(standing.changed_at, actor, action, target, origin, details={"facts": standing.facts_digest})


def act_of_standing(standing: Standing, verb: str, by: By) -> AuditAct:
    """Tell that a version was moved by a verb to where it stands now."""
    details = {"review": standing.review.value, "lifecycle": standing.lifecycle.value}
    if standing.successor is not None:
        details["successor"] = standing.successor
    target = Target(standing.kind, standing.name, standing.version, standing.digest)
    at, reason = standing.changed_at, standing.reason
    return AuditAct(at, by.actor, f"version.{verb}", target, by.origin, reason=reason, details=details)


def act_of_keys(keys: Sequence[IssuedKey], verb: str, by: By, at: float) -> AuditAct:
    """Tell that keys were issued, replaced or revoked, at wall time `at`; by their ids, which are no secret."""
    first = keys[0]
    details = {"owner": first.owner, **({"replaces": keys[1].id} if len(keys) > 1 else {})}
    return AuditAct(at, by.actor, f"key.{verb}", Target(f"{first.kind}_key", first.id), by.origin, details=details)


def act_of_served(version: ServedVersion, at: float) -> AuditAct:
    """Tell that requests can meet a version from now on, so that its content is settled."""
    target = Target(version.kind, version.name, version.version, version.digest)
    return AuditAct(at, GATEWAY, "version.serve", target)


def _act_of_event(event: RolloutEvent, move: RouteMove) -> AuditAct:
    rollout = event.rollout
    details = {"rollout": rollout.id, "stable": rollout.stable, "state": rollout.state.value}
    details["attempt"] = str(rollout.attempt)
    if rollout.step_number is not None:
        details["step"] = str(rollout.step_number)
    if rollout.evidence is not None:
        details["evidence"] = digest(finite(rollout.evidence))
    return AuditAct(
        at=event.at,
        actor=rollout.actor,
        action=f"rollout.{event.verb}",
        target=Target("route", rollout.route, rollout.candidate),
        origin=move.origin,
        reason=rollout.reason,
        details=details,
    )


def _standing(record: RouteRecord) -> dict[str, Any]:
    """What serves on a route, for its digest: no reason in it, since those are people's words."""
    rollout = record.rollout
    return {
        "route": record.route,
        "stable": record.stable,
        "serve_line": record.serve_line,
        "revision": record.revision,
        "out": sorted(record.out),
        "former": [former.version for former in record.former],
        "rollout": None if rollout is None else _rollout(rollout),
    }


@lru_cache(maxsize=256)
def _plan(plan: Plan) -> str:
    """Digest a plan; many routes share one, and each of their records tells it."""
    return digest(plan.to_json())


def _rollout(rollout: Rollout) -> dict[str, Any]:
    return {
        "id": rollout.id,
        "stable": rollout.stable,
        "candidate": rollout.candidate,
        "attempt": rollout.attempt,
        "state": rollout.state.value,
        "step": rollout.step,
        "plan": _plan(rollout.plan),
        "holds": list(rollout.holds),
    }
