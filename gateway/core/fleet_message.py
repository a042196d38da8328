"""What gateways of one store tell each other, and how it is read: a message is outside input, whoever sent it.

A message is a JSON object with a `kind`. It takes something out of traffic, says that a breaker has opened or closed,
hands over what requests have shown, or says that the store is worth a look; there is none that gives a release what
its record does not give it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from gateway.core.breaker import TRIP_RULES, TripRule
from gateway.core.hand_over import HandOver, read_hand_over
from gateway.core.message_field import MOST_NAME
from gateway.core.message_field import number as _number
from gateway.core.message_field import text as _text
from gateway.core.recorded import ArmOut
from gateway.core.standing import KINDS, Key

LATE = "late"
"""Marks, in a message that is heard, that it was said while nobody listened here."""

LOOK: Mapping[str, Any] = {"kind": "look"}
"""The store has changed, or messages may have been missed: look at it."""

MOST_REASON = 4_000
MOST_EVIDENCE = 16_384
"""How many characters a reason, and evidence as JSON may have."""


@dataclass(frozen=True, slots=True)
class RolloutOut:
    """A rollout was rolled back, or undone in favour of `target`, at wall time `at`."""

    route: str
    rollout: str
    verb: Literal["rollback", "undo"]
    target: str
    actor: str
    reason: str
    at: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionOut:
    """A registered version was revoked, at wall time `at`."""

    key: Key
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class KeyOut:
    """An issued key was revoked, by its id, at wall time `at`."""

    key: str
    actor: str
    at: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The breaker of a release has closed, on the strength of probes that began `probed` seconds before."""

    route: str
    release: str
    probed: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The breaker of a release that serves, and is no candidate, has tripped by a rule."""

    route: str
    release: str
    rule: TripRule


@dataclass(frozen=True, slots=True)
class Look:
    """The store is worth a look."""


Out: TypeAlias = RolloutOut | ArmOut | VersionOut | KeyOut
"""What takes something out of traffic."""

Moment: TypeAlias = Opened | Closed
"""What holds at the moment at which it is said, and is told then or never."""

Act: TypeAlias = Out | Moment | Look
"""What is acted on at once."""

Said: TypeAlias = Act | HandOver


def written(said: Said) -> Mapping[str, Any]:
    """Write a message that can be read; what is too long is cut, and evidence that is too much is left out."""
    match said:
        case RolloutOut():
            of_rollout = ("route", "rollout", "verb", "target", "actor", "reason", "at")
            return {"kind": "rollout_out", **_fields(said, of_rollout), "evidence": _bounded(said.evidence)}
        case ArmOut():
            of_arm = ("route", "experiment", "release", "reason", "at")
            return {"kind": "arm_out", **_fields(said, of_arm), "evidence": _bounded(said.evidence)}
        case VersionOut():
            return {"kind": "version_out", "key": list(said.key), **_fields(said, ("reason", "at"))}
        case KeyOut():
            return {"kind": "key_out", **_fields(said, ("key", "actor", "at"))}
        case Closed():
            return {"kind": "closed", **_fields(said, ("route", "release", "probed"))}
        case HandOver():
            return said.written()
        case Opened():
            return {"kind": "opened", **_fields(said, ("route", "release", "rule"))}
        case Look():
            return LOOK


def read(message: Mapping[str, Any]) -> Said:
    """Read a message.

    Raises:
        ValueError: it is of no known kind, or not as that kind is. A breaker's opening or closing that
            comes late is none.
    """
    kind = message.get("kind")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None or (reader in _OF_A_MOMENT and message.get(LATE)):
        raise ValueError("it is of no known kind")
    return reader(message)


def _rollout_out(message: Mapping[str, Any]) -> RolloutOut:
    verb = message.get("verb")
    if verb not in ("rollback", "undo"):
        raise ValueError("its verb is neither rollback nor undo")
    return RolloutOut(
        route=_text(message, "route"),
        rollout=_text(message, "rollout"),
        verb=verb,
        target=_text(message, "target"),
        actor=_text(message, "actor"),
        reason=_text(message, "reason", MOST_REASON),
        at=_number(message, "at"),
        evidence=_evidence(message),
    )


def _arm_out(message: Mapping[str, Any]) -> ArmOut:
    route, experiment, release = (_text(message, name) for name in ("route", "experiment", "release"))
    reason, at = _text(message, "reason", MOST_REASON), _number(message, "at")
    return ArmOut(route, experiment, release, reason, at, _evidence(message))


def _version_out(message: Mapping[str, Any]) -> VersionOut:
    key = message.get("key")
    if not isinstance(key, list) or len(key) != 3 or key[0] not in KINDS:
        raise ValueError("its key names no version")
    kind, name, version = (_text({"key": part}, "key") for part in key)
    return VersionOut((kind, name, version), _text(message, "reason", MOST_REASON), _number(message, "at"))


def _key_out(message: Mapping[str, Any]) -> KeyOut:
    return KeyOut(_text(message, "key"), _text(message, "actor"), _number(message, "at"))


def _closed(message: Mapping[str, Any]) -> Closed:
    return Closed(_text(message, "route"), _text(message, "release"), _number(message, "probed"))


def _opened(message: Mapping[str, Any]) -> Opened:
    rule = next((each for each in TRIP_RULES if each == message.get("rule")), None)
    if rule is None:
        raise ValueError("its rule is none that trips a breaker")
    return Opened(_text(message, "route"), _text(message, "release"), rule)


def _look(_message: Mapping[str, Any]) -> Look:
    return Look()


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Said]] = {
    "rollout_out": _rollout_out,
    "arm_out": _arm_out,
    "version_out": _version_out,
    "key_out": _key_out,
    "closed": _closed,
    "evidence": read_hand_over,
    "opened": _opened,
    "look": _look,
}

_OF_A_MOMENT = (_closed, _opened)


def _fields(said: Said, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _cut(name, getattr(said, name)) for name in names}


def _cut(name: str, found: Any) -> Any:
    """Make a person's words printable and short; names are as they are declared."""
    if name not in ("actor", "reason"):
        return found
    most = MOST_REASON if name == "reason" else MOST_NAME
    return "".join(each if each.isprintable() else " " for each in found[:most])


def _evidence(message: Mapping[str, Any]) -> Mapping[str, Any]:
    found = message.get("evidence")
    if not isinstance(found, dict) or len(json.dumps(found)) > MOST_EVIDENCE:
        raise ValueError("its evidence is no object, or too much")
    return found


def _bounded(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(json.dumps(evidence)) <= MOST_EVIDENCE:
        return evidence
    return {"rule": evidence["rule"]} if "rule" in evidence else {}
