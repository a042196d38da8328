"""What the store records, as rows: plain JSON objects, one a table's row, for the database and for the copy on disk."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from gateway.adapters.approval_rows import governance_from, governance_rows
from gateway.adapters.registry_rows import Row, standing_from, standing_row
from gateway.core.api_key import IssuedKey
from gateway.core.plan import Plan
from gateway.core.recorded import ArmOut, ExperimentStart, KeptEvidence, Recorded, RolloutEvent, ServedVersion
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import Former, RouteRecord
from gateway.core.text import storable

_KEY_FIELDS = tuple(field.name for field in fields(IssuedKey))


def rows_of(recorded: Recorded) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of everything in a record, by table; the epoch stands apart."""
    routes = recorded.routes.values()
    return {
        "rollouts": [rollout_row(route.rollout) for route in routes if route.rollout is not None],
        "routes": [route_row(route) for route in routes],
        "experiments": [experiment_row(start) for start in recorded.experiments],
        "arms_out": [arm_row(arm) for arm in recorded.arms_out],
        "served_versions": [served_row(item) for item in recorded.served],
        "registered_versions": [standing_row(item) for item in recorded.standings],
        "credentials": [key_row(key) for key in recorded.keys],
        "fleet_size": [{"replicas": recorded.replicas}],
        **governance_rows(recorded.governance),
    }


def recorded_from(epoch: int, tables: Mapping[str, Iterable[Row]]) -> Recorded:
    """Read everything that a snapshot depends on; among the rollouts are at least the latest ones of the routes."""
    by_id = {row["id"]: rollout_from(row) for row in tables["rollouts"]}
    return Recorded(
        epoch=epoch,
        routes={row["name"]: route_from(row, by_id) for row in tables["routes"]},
        experiments=tuple(map(experiment_from, tables["experiments"])),
        arms_out=tuple(map(arm_from, tables["arms_out"])),
        served=tuple(map(served_from, tables["served_versions"])),
        standings=tuple(map(standing_from, tables["registered_versions"])),
        keys=tuple(map(key_from, tables["credentials"])),
        governance=governance_from(tables),
        replicas=max((row["replicas"] for row in tables.get("fleet_size", ())), default=1),
    )


def rollout_row(rollout: Rollout) -> dict[str, Any]:
    """Write a rollout as it stands."""
    return {
        "id": rollout.id,
        "stable": rollout.stable,
        "candidate": rollout.candidate,
        "attempt": rollout.attempt,
        "plan": rollout.plan.to_json(),
        **_moving(rollout),
    }


def event_row(item: RolloutEvent) -> dict[str, Any]:
    """Write an act on a rollout, with what it became."""
    return {"at": item.at, "rollout_id": item.rollout.id, "verb": item.verb, **_moving(item.rollout)}


def _moving(rollout: Rollout) -> dict[str, Any]:
    """What a rollout and each of its events both record."""
    return {
        "route": rollout.route,
        "state": rollout.state.value,
        "step": rollout.step,
        "reason": storable(rollout.reason),
        "actor": storable(rollout.actor),
        "evidence": None if rollout.evidence is None else dict(rollout.evidence),
        "started_at": rollout.started_at,
        "updated_at": rollout.updated_at,
        "entered_at": rollout.entered_at,
        "holds": list(rollout.holds),
    }


def rollout_from(row: Row) -> Rollout:
    """Read a rollout from its own row, or as it was from an event's row joined to it."""
    return Rollout(
        id=row["id"],
        route=row["route"],
        stable=row["stable"],
        candidate=row["candidate"],
        attempt=row["attempt"],
        state=RolloutState(row["state"]),
        step=row["step"],
        plan=Plan.from_json(row["plan"]),
        reason=row["reason"],
        actor=row["actor"],
        evidence=row["evidence"],
        started_at=row["started_at"],
        updated_at=row["updated_at"],
        entered_at=row["entered_at"],
        holds=tuple(row["holds"]),
    )


def route_row(record: RouteRecord) -> dict[str, Any]:
    """Write what is recorded of a route; its rollout is a row of its own."""
    return {
        "name": record.route,
        "stable": record.stable,
        "serve_line": record.serve_line,
        "rollout_id": None if record.rollout is None else record.rollout.id,
        "attempts": [[stable, candidate, count] for (stable, candidate), count in record.attempts.items()],
        "out": dict(record.out),
        "former": [[former.version, former.until] for former in record.former],
        "revision": record.revision,
    }


def route_from(row: Row, by_id: Mapping[str, Rollout]) -> RouteRecord:
    """Read what is recorded of a route, given the rollouts."""
    return RouteRecord(
        route=row["name"],
        stable=row["stable"],
        serve_line=row["serve_line"],
        rollout=None if row["rollout_id"] is None else by_id[row["rollout_id"]],
        attempts={(stable, candidate): count for stable, candidate, count in row["attempts"]},
        out=row["out"],
        former=tuple(Former(version, until) for version, until in row["former"]),
        revision=row["revision"],
    )


def experiment_row(start: ExperimentStart) -> dict[str, Any]:
    """Write when an experiment began."""
    return {"route": start.route, "name": start.name, "at": start.at, "arms": [list(arm) for arm in start.arms]}


def experiment_from(row: Row) -> ExperimentStart:
    """Read when an experiment began."""
    arms = tuple((name, release, share) for name, release, share in row["arms"])
    return ExperimentStart(row["route"], row["name"], row["at"], arms)


def arm_row(arm: ArmOut) -> dict[str, Any]:
    """Write that an arm is out."""
    return {
        "route": arm.route,
        "experiment": arm.experiment,
        "release": arm.release,
        "reason": storable(arm.reason),
        "at": arm.at,
        "evidence": dict(arm.evidence),
    }


def arm_from(row: Row) -> ArmOut:
    """Read that an arm is out."""
    return ArmOut(row["route"], row["experiment"], row["release"], row["reason"], row["at"], row["evidence"])


def served_row(item: ServedVersion) -> dict[str, Any]:
    """Write a version that has served; the table says when, too."""
    return {"kind": item.kind, "name": item.name, "version": item.version, "digest": item.digest}


def served_from(row: Row) -> ServedVersion:
    """Read a version that has served."""
    return ServedVersion(row["kind"], row["name"], row["version"], row["digest"])


def key_row(key: IssuedKey) -> dict[str, Any]:
    """Write what is recorded of an issued key; the columns are its fields."""
    return {name: getattr(key, name) for name in _KEY_FIELDS}


def key_from(row: Row) -> IssuedKey:
    """Read what is recorded of an issued key."""
    return IssuedKey(**{name: row[name] for name in _KEY_FIELDS})


def evidence_row(kept: KeptEvidence) -> dict[str, Any]:
    """Write what a rollout's step had shown."""
    return {
        "rollout_id": kept.rollout,
        "step": kept.step,
        "elapsed": kept.elapsed,
        "at": kept.at,
        "evidence": dict(kept.evidence),
    }


def evidence_from(row: Row) -> KeptEvidence:
    """Read what a rollout's step had shown."""
    return KeptEvidence(row["rollout_id"], row["step"], row["elapsed"], row["at"], row["evidence"])
