"""Issued keys and the use of access, in the store's tables."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from gateway.adapters import store_rows
from gateway.adapters.sql_engine import insert_or_replace
from gateway.adapters.sql_schema import access_used, credentials, key_uses
from gateway.core.access_use import AccessUse
from gateway.core.api_key import IssuedKey


def put_keys(connection: Connection, keys: Sequence[IssuedKey]) -> None:
    """Write keys, each joined with what is recorded of it.

    The store's epoch must be raised already, so that nobody else writes meanwhile.
    """
    asked = select(credentials).where(credentials.c.id.in_([key.id for key in keys]))
    known = {row["id"]: store_rows.key_from(row) for row in connection.execute(asked).mappings()}
    rows = [store_rows.key_row(known[key.id].merged(key) if key.id in known else key) for key in keys]
    if rows:
        connection.execute(insert_or_replace(credentials), rows)


def put_use(connection: Connection, use: AccessUse) -> None:
    """Write the later of what is given and what is recorded, in an order in which two who write cannot block."""
    later = use.joined(_use_of(connection, use))
    keys = [{"sha256": sha256, "at": later.keys[sha256]} for sha256 in sorted(use.keys)]
    grants = [
        {"operator": operator, "permission": permission, "day": later.grants[operator, permission]}
        for operator, permission in sorted(use.grants)
    ]
    for table, rows in ((key_uses, keys), (access_used, grants)):
        if rows:
            connection.execute(insert_or_replace(table), rows)


def use(connection: Connection) -> AccessUse:
    """Read the latest use of every key and every grant."""
    return AccessUse(
        {row.sha256: row.at for row in connection.execute(select(key_uses))},
        {(row.operator, row.permission): row.day for row in connection.execute(select(access_used))},
    )


def _use_of(connection: Connection, wanted: AccessUse) -> AccessUse:
    keys = select(key_uses).where(key_uses.c.sha256.in_(wanted.keys))
    grants = select(access_used).where(access_used.c.operator.in_({operator for operator, _ in wanted.grants}))
    return AccessUse(
        {row.sha256: row.at for row in connection.execute(keys)},
        {(row.operator, row.permission): row.day for row in connection.execute(grants)},
    )
