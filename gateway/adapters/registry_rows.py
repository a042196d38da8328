"""The registry, as rows: registered versions with where they stand, and deployments."""

from collections.abc import Mapping
from typing import Any

from gateway.core.deployment import Deployment
from gateway.core.digest import canonical
from gateway.core.lifecycle import Lifecycle
from gateway.core.review import Review
from gateway.core.standing import Entry, Standing
from gateway.core.text import storable

Row = Mapping[Any, Any]
"""A row by the names of its columns."""


def standing_row(standing: Standing) -> dict[str, Any]:
    """Write where a version stands."""
    return {
        "kind": standing.kind,
        "name": standing.name,
        "version": standing.version,
        "digest": standing.digest,
        "facts_digest": standing.facts_digest,
        "registered_at": standing.registered_at,
        "author": standing.author,
        "review": standing.review.value,
        "lifecycle": standing.lifecycle.value,
        "changed_at": standing.changed_at,
        "reason": storable(standing.reason),
        "deprecated_at": standing.deprecated_at,
        "retire_at": standing.retire_at,
        "successor": standing.successor,
        "revision": standing.revision,
    }


def standing_from(row: Row) -> Standing:
    """Read where a version stands."""
    told = {name: row[name] for name in Standing.__dataclass_fields__}
    return Standing(**{**told, "review": Review(row["review"]), "lifecycle": Lifecycle(row["lifecycle"])})


def entry_row(entry: Entry, standing: Standing) -> dict[str, Any]:
    """Write a version with where it stands; its content as the bytes that the digest covers."""
    return {**standing_row(standing), "content": canonical(entry.content), "facts": dict(entry.facts)}


def deployment_row(deployment: Deployment) -> dict[str, Any]:
    """Write a stretch of serving."""
    told = {name: getattr(deployment, name) for name in Deployment.__dataclass_fields__}
    return {**told, "why": storable(deployment.why), "actor": storable(deployment.actor)}


def deployment_from(row: Row) -> Deployment:
    """Read a stretch of serving."""
    return Deployment(**{name: row[name] for name in Deployment.__dataclass_fields__})
