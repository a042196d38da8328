"""How far each target of notifications has come in the audit trail, in the tables of the store."""

from sqlalchemy import Connection, func, select

from gateway.adapters.sql_audit import Runner
from gateway.adapters.sql_engine import insert_if_new
from gateway.adapters.sql_schema import audit_tree, notification_cursors
from gateway.core.delivery import Cursor


class SqlCursors:
    """The port `Cursors`, in the transactions of the store that it belongs to."""

    def __init__(self, read: Runner, add: Runner) -> None:
        """`add` makes other writers wait, so that nothing is written between the trail's end and a new cursor at it."""
        self._read = read
        self._add = add

    async def cursor(self, target: str) -> Cursor:
        """Give how far a target has come; one that is new begins at the trail's present end."""
        known = await self._read(lambda connection: _cursor(connection, target))
        if known is None:
            return await self._add(lambda connection: _begun(connection, target))
        return known

    async def move(self, before: Cursor, after: Cursor) -> bool:
        """Write how far a target has come; say whether it was at `before` until then, else nothing is written."""
        columns = notification_cursors.c
        where = columns.target == before.target, columns.seq == before.seq
        written = notification_cursors.update().where(*where)
        values = {"seq": after.seq, "failing_since": after.failing_since}
        return await self._add(lambda connection: connection.execute(written.values(values)).rowcount == 1)


def _cursor(connection: Connection, target: str) -> Cursor | None:
    asked = select(notification_cursors).where(notification_cursors.c.target == target)
    row = connection.execute(asked).mappings().one_or_none()
    return None if row is None else Cursor(row["target"], row["seq"], row["failing_since"])


def _begun(connection: Connection, target: str) -> Cursor:
    size = connection.execute(select(func.coalesce(func.max(audit_tree.c.size), 0))).scalar_one()
    connection.execute(insert_if_new(notification_cursors), [{"target": target, "seq": size, "failing_since": None}])
    return _cursor(connection, target) or Cursor(target, size)
