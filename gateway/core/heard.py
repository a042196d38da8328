"""What other gateways have taken out of traffic and not recorded yet, put upon what is recorded.

The law: it takes from what is recorded, and never adds. What is recorded already, and what is not known here, is left
as it is.
"""

from dataclasses import replace

from gateway.core import rollout as rules
from gateway.core.errors import VerbRefused
from gateway.core.fleet_message import KeyOut, Out, RolloutOut, VersionOut
from gateway.core.recorded import ArmOut, Recorded
from gateway.core.rollout import RolloutState
from gateway.core.route_record import RouteRecord
from gateway.core.standing import Standing, review


def put(recorded: Recorded, out: Out) -> Recorded | None:
    """Give what is recorded with something taken out of it; None where that changes nothing."""
    match out:
        case RolloutOut():
            return _put_rollout(recorded, out)
        case ArmOut():
            return _put_arm(recorded, out)
        case VersionOut():
            return _put_version(recorded, out)
        case KeyOut():
            return _put_key(recorded, out)


def _put_rollout(recorded: Recorded, out: RolloutOut) -> Recorded | None:
    record = recorded.routes.get(out.route)
    after = None if record is None else _without(record, out)
    return None if after is None else replace(recorded, routes={**recorded.routes, out.route: after})


def _without(record: RouteRecord, out: RolloutOut) -> RouteRecord | None:
    rollout = record.rollout
    if rollout is None or rollout.id != out.rollout:
        return None
    if out.verb == "rollback" and rollout.is_open:
        return record.moved(rules.rollback(rollout, out.actor, out.reason, out.at, evidence=out.evidence))
    warm = record.warm(out.at)
    if out.verb == "undo" and rollout.state is RolloutState.completed and warm:
        target = out.target if out.target in warm else warm[0]
        return record.undone(rules.undo(rollout, out.actor, out.reason, out.at, evidence=out.evidence), target)
    return None


def _put_arm(recorded: Recorded, out: ArmOut) -> Recorded | None:
    name = out.route, out.experiment, out.release
    known = {(start.route, start.name, release) for start in recorded.experiments for _, release, _ in start.arms}
    if name not in known or name in {(arm.route, arm.experiment, arm.release) for arm in recorded.arms_out}:
        return None
    return replace(recorded, arms_out=(*recorded.arms_out, out))


def _put_version(recorded: Recorded, out: VersionOut) -> Recorded | None:
    known = next((each for each in recorded.standings if each.key == out.key), None)
    if known is None:
        return None
    try:
        after = review(known, "revoke", out.reason, out.at)
    except VerbRefused:
        return None  # it is revoked or rejected already
    standings: list[Standing] = [after if each is known else each for each in recorded.standings]
    kind, name, version = out.key
    governance = recorded.governance
    if kind == "release":
        governance = governance.without_admissions(name, version)
    return replace(recorded, standings=standings, governance=governance)


def _put_key(recorded: Recorded, out: KeyOut) -> Recorded | None:
    known = next((key for key in recorded.keys if key.id == out.key), None)
    if known is None or known.revoked_at is not None:
        return None
    revoked = known.revoked(out.at, out.actor)
    return replace(recorded, keys=[revoked if key is known else key for key in recorded.keys])
