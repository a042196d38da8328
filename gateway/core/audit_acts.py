"""What each change to the store means for the audit trail: derived here alone, so that no change goes without it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway.core.admission import Admission, Excepted, GovernanceMove, RequestMove
from gateway.core.api_key import IssuedKey
from gateway.core.approval import Request, said_missing
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


def acts_of_request(move: RequestMove, verb: str, by: By, at: float) -> Iterator[AuditAct]:
    """Tell that a request was moved by a verb at wall time `at`: request, sign, approve, reject, withdraw, remind...

    The sign-off that approves it is told before the approval, with what was said with each.
    """
    request = move.request
    details = {"request": request.id, "environment": request.environment, "state": request.state.value}
    if request.is_open:
        details |= {"missing": said_missing(request.missing), "deadline": f"{request.deadline:.0f}"}
    if verb in ("sign", "approve"):
        last = request.sign_offs[-1]
        yield _act_of_request(request, "sign", by, at, last.comment, {**details, "role": last.role})
    if verb == "sign":
        return
    if move.standing is not None:
        details["review"] = move.standing.review.value
    if move.reviewed:
        details["emergencies"] = " ".join(each.id for each in move.reviewed)
    yield _act_of_request(request, verb, by, at, request.ended_reason or request.reason, details)


def act_of_exception(made: Excepted, verb: str, by: By, at: float) -> AuditAct:
    """Tell that an exception was made, or what became of it, at wall time `at`.

    The verb is `except` or `emergency`, `end_exception`, or `emergency_overdue` where its review has not come in time.
    """
    details = {"exception": made.id, "environment": made.environment, "until": f"{made.until:.0f}"}
    if made.review_by is not None:
        details["review_by"] = f"{made.review_by:.0f}"
    target = Target("release", made.name, made.version, made.digest)
    return AuditAct(at, by.actor, f"release.{verb}", target, by.origin, reason=made.reason, details=details)


def acts_of_governance(
    move: GovernanceMove, before: Mapping[str, str], free: Collection[tuple[str, str, str]], at: float, origin: Origin
) -> Iterator[AuditAct]:
    """Tell which approval policies have changed at wall time `at`, what is admitted, and on whose word.

    `before` are the digests of those in force until then, by name, and `free` the places that were admitted already
    though nothing governed them. Where no policy is in force nothing is, and that a version serves tells it.
    """
    after = before if move.policies is None else {each.name: each.digest for each in move.policies}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            target = Target("approval_policy", name, digest=now)
            yield AuditAct(at, POLICY, "approval_policy.change", target, origin, before_digest=was, after_digest=now)
    is_governed = bool(move.after or move.policies)
    for each in move.admissions:
        if not each.ungoverned or (is_governed and each.place not in free):
            target = Target("release", each.route, each.release, each.digest)
            details = {"environment": each.environment, **_word(each)}
            yield AuditAct(at, POLICY, "release.admit", target, origin, details=details)


def act_of_refusal(target: Target, verb: str, by: By, why: str, at: float) -> AuditAct:
    """Tell that somebody was refused an act on what is to be approved, at wall time `at`, and why."""
    return AuditAct(at, by.actor, f"approval.{verb}", target, by.origin, outcome="denied", reason=why)


def _word(admission: Admission) -> dict[str, str]:
    """Say on whose word something is admitted."""
    if admission.ungoverned:
        return {"governed_by": "nothing"}
    if admission.approval_id is not None:
        return {"approval": admission.approval_id}
    return {"exception": admission.exception_id or ""}


def _act_of_request(
    request: Request, verb: str, by: By, at: float, reason: str, details: Mapping[str, str]
) -> AuditAct:
    target = Target(request.kind, request.name, request.version, request.digest)
    return AuditAct(at, by.actor, f"approval.{verb}", target, by.origin, reason=reason, details=details)


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
