"""Notifications: what of the audit trail people must hear of, each as a message for those who receive it.

The law: a notification is derived from an entry of the trail, which is written with the change that it tells. So there
is none without a change and no change without one, and what is derived again is the same message under the same id.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson

from gateway.core.audit import ToldEntry, moment_text
from gateway.core.rollout import RolloutState

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "approval.request": "approval.requested",
        "approval.sign": "approval.signed",
        "approval.approve": "approval.approved",
        "approval.reject": "approval.rejected",
        "approval.withdraw": "approval.withdrawn",
        "approval.expire": "approval.expired",
        "approval.dismiss": "approval.dismissed",
        "approval.remind": "approval.reminder",
        "release.except": "release.excepted",
        "release.emergency": "release.emergency",
        "release.emergency_overdue": "release.emergency_overdue",
        "release.end_exception": "release.exception_ended",
        "version.deprecate": "version.deprecated",
        "version.retire": "version.retired",
        "version.revoke": "version.revoked",
        "rollout.rollback": "rollout.rolled_back",
        "rollout.undo": "rollout.undone",
        "experiment.arm_out": "experiment.arm_out",
    }
)
"""The type of a notification by the action of its entry; whatever completes a rollout is `rollout.completed`."""

COMPLETED = "rollout.completed"

_MOMENTS = ("deadline", "until", "review_by")
_PLAIN = ("environment", "request", "exception", "missing", "role", "rollout", "stable", "state", "successor")


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted to a receiver. `timestamp` is when it happened, by RFC 3339.

    `id` is the same whenever it is sent, so that a receiver can tell what it has already.
    """

    id: str
    type: str
    timestamp: str
    data: Mapping[str, Any] = field(repr=False)

    @property
    def body(self) -> str:
        """The JSON that is signed and sent."""
        return json.dumps({"type": self.type, "timestamp": self.timestamp, "data": dict(self.data)})

    @property
    def happened(self) -> float:
        """When it happened, in wall seconds; 0 for a time that cannot be read."""
        try:
            return datetime.fromisoformat(self.timestamp).timestamp()
        except ValueError:
            return 0.0


def notification_of(told: ToldEntry) -> Message | None:
    """Give the message that an entry is for people; None for one that is none, or that Pinion did not write."""
    try:
        value = orjson.loads(told.entry.raw)
    except ValueError:
        return None
    match value:
        case {
            "action": str(action),
            "outcome": "allowed",
            "ts": str(moment),
            "target": {"kind": str(), "id": str()} as target,
            "actor": {"kind": str(kind)},
            "details": dict(details),
        }:
            name = _type_of(action, details)
        case _:
            return None
    if name is None:
        return None
    data = {
        "entry": told.entry.seq,
        "action": action,
        **_subject(target),
        **{key: details[key] for key in _PLAIN if key in details},
        **{key: _moment(details[key]) for key in _MOMENTS if key in details},
        "by": None if told.actor is None else told.actor.text,
        "by_kind": kind,
        "reason": None if told.reason is None else told.reason.text,
    }
    data["next"] = _next(name, data)
    known = {key: held for key, held in data.items() if held is not None}
    return Message(f"entry_{told.entry.seq}_{told.entry.hash[:16]}", name, moment, known)


def _type_of(action: str, details: Mapping[str, Any]) -> str | None:
    group, _, _ = action.partition(".")
    if group == "rollout" and details.get("state") == RolloutState.completed:
        return COMPLETED
    return TYPES.get(action)


def _subject(target: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what it is about: a release by its route and version, everything else by its kind and name."""
    kind, name, version = target["kind"], target["id"], target.get("version")
    if kind == "experiment":
        route, _, experiment = name.partition("/")
        return {"kind": "release", "release": f"{route}/{version}", "experiment": experiment}
    if kind in ("release", "route"):
        return {"kind": "release", "release": f"{name}/{version}", "digest": target.get("digest")}
    if kind == "approval_policy":
        return {"kind": kind, "approval_policy": name, "digest": target.get("digest")}
    return {"kind": kind, kind: f"{name}@{version}", "digest": target.get("digest")}


def _next(name: str, data: Mapping[str, Any]) -> str | None:
    """Say by which command somebody goes on; None where nothing needs to be done."""
    kind, release = data["kind"], data.get("release", "")
    route, _, _ = release.partition("/")
    what = f"--policy {shlex.quote(data['approval_policy'])}" if kind == "approval_policy" else shlex.quote(release)
    verb = "approve" if kind == "approval_policy" else "review"
    match name:
        case "approval.requested" | "approval.reminder":
            return f"pinion release {verb} {what}"
        case "approval.signed":
            return f"pinion release {verb} {what}" if "missing" in data else None
        case "approval.withdrawn" | "approval.expired" | "approval.dismissed":
            return f"pinion release request {what}"
        case "release.excepted" | "release.emergency" | "release.emergency_overdue" | "release.exception_ended":
            return f"pinion release request {what}"
        case "version.deprecated" | "version.revoked":
            return f"pinion {kind} dependents {shlex.quote(data[kind])}"
        case "rollout.rolled_back" | "rollout.undone":
            return f"pinion explain --rollout {shlex.quote(route)}"
        case "experiment.arm_out":
            return f"pinion experiment report {shlex.quote(route)}"
    return None


def _moment(seconds: Any) -> str | None:
    """Write a time that an entry tells in seconds as RFC 3339."""
    try:
        return moment_text(float(seconds))
    except (TypeError, ValueError):
        return None
