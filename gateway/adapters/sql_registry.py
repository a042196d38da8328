"""The registry in the store's database: what a transaction of the store reads and writes of it."""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select, tuple_

from gateway.adapters.registry_rows import (
    deployment_from,
    deployment_row,
    entry_row,
    standing_from,
    standing_row,
)
from gateway.adapters.sql_engine import insert_if_new
from gateway.adapters.sql_schema import deployments, registered_versions
from gateway.core.deployment import Change, Deployment
from gateway.core.errors import Overtaken
from gateway.core.review import Review
from gateway.core.standing import SERVED, Entry, Key, Kind, Standing

_KEY = (registered_versions.c.kind, registered_versions.c.name, registered_versions.c.version)
_STANDING = tuple(registered_versions.c[name] for name in Standing.__dataclass_fields__)

STANDINGS = select(*_STANDING).order_by(*_KEY)
"""Where every version stands, without what it is."""


def put_entries(connection: Connection, entries: Iterable[tuple[Entry, Standing]]) -> None:
    """Register versions, new ones and drafts anew.

    Raises:
        Overtaken: somebody else has registered one of them, or moved it, in the meantime.
    """
    for entry, standing in entries:
        if standing.revision == 1:
            row = entry_row(entry, standing)
            new = insert_if_new(registered_versions).values(row).returning(registered_versions.c.version)
            done = len(connection.execute(new).all())  # PostgreSQL tells no row count of it
        else:
            done = _update(connection, standing, entry_row(entry, standing))
        _expect(done, standing)


def put_standing(connection: Connection, standing: Standing) -> None:
    """Write where a version has come to.

    Raises:
        Overtaken: somebody else has moved it in the meantime.
    """
    _expect(_update(connection, standing, standing_row(standing)), standing)


def freeze(connection: Connection, keys: Iterable[Key], at: float) -> None:
    """Let drafts change no more, at wall time `at`; what is no draft stays as it is."""
    for key in keys:
        mine = tuple_(*_KEY) == tuple_(*key)
        is_draft = registered_versions.c.review == Review.draft.value
        frozen = registered_versions.update().where(mine, is_draft)
        connection.execute(
            frozen.values(
                review=Review.candidate.value, changed_at=at, reason=SERVED, revision=registered_versions.c.revision + 1
            )
        )


def _update(connection: Connection, standing: Standing, row: dict[str, object]) -> int:
    mine = tuple_(*_KEY) == tuple_(*standing.key)
    earlier = registered_versions.c.revision == standing.revision - 1
    return connection.execute(registered_versions.update().where(mine, earlier).values(row)).rowcount


def _expect(done: int, standing: Standing) -> None:
    if done != 1:
        raise Overtaken(f"somebody else's act on {standing} was recorded first; look at it again, and repeat yours")


def entry_of(connection: Connection, key: Key) -> tuple[Entry, Standing] | None:
    """Give a version with where it stands, or None where there is no such."""
    row = connection.execute(select(registered_versions).where(tuple_(*_KEY) == tuple_(*key))).mappings().one_or_none()
    if row is None:
        return None
    return Entry(row["kind"], row["name"], row["version"], json.loads(row["content"]), row["facts"]), standing_from(row)


def entries_of(connection: Connection, kind: Kind) -> Sequence[tuple[Entry, Standing]]:
    """Give the facts and the standing of every version of a kind, the newest of each name last; not their content."""
    rows = connection.execute(
        select(*_STANDING, registered_versions.c.facts)
        .where(registered_versions.c.kind == kind)
        .order_by(registered_versions.c.name, registered_versions.c.registered_at, registered_versions.c.version)
    ).mappings()
    return tuple(
        (Entry(row["kind"], row["name"], row["version"], {}, row["facts"]), standing_from(row)) for row in rows
    )


def put_deployments(connection: Connection, change: Change) -> None:
    """Write what has ended and what begins to serve; what others have written of the same is left as it is."""
    for route, release, track in change.ended:
        columns = deployments.c
        mine = (columns.environment == change.environment, columns.route == route, columns.release == release)
        lasting = (*mine, columns.track == track, columns.until.is_(None))
        connection.execute(deployments.update().where(*lasting).values(until=change.at))
    if change.begun:
        connection.execute(insert_if_new(deployments), [deployment_row(each) for each in change.begun])


def lasting_deployments(connection: Connection, environment: str) -> tuple[Deployment, ...]:
    """Give the deployments of an environment that last."""
    columns = deployments.c
    lasting = select(deployments).where(columns.environment == environment, columns.until.is_(None))
    return tuple(map(deployment_from, connection.execute(lasting.order_by(columns.id)).mappings()))


def deployments_of(connection: Connection, route: str | None, limit: int) -> tuple[Deployment, ...]:
    """Give the newest stretches of serving, of one route or of all, the newest first."""
    newest = select(deployments).order_by(deployments.c.since.desc(), deployments.c.id.desc()).limit(limit)
    asked = newest if route is None else newest.where(deployments.c.route == route)
    return tuple(map(deployment_from, connection.execute(asked).mappings()))
