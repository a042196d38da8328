"""What applications say of answers, in the ledger's table of feedback, and the requests that it is said of."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, func, select, update

from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_records import record_of
from gateway.adapters.sql_schema import feedback, requests
from gateway.core.ports import Feedback
from gateway.core.record import Record

MOST_RECENT = 100_000
"""Among how many of the newest rows a unit's request is looked for; going through them takes some 20 ms."""

_ADDED = insert_if_new(feedback).returning(feedback.c.request_id, feedback.c.name)


class SqlFeedback:
    """The rows of feedback. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, said: Sequence[Feedback]) -> list[bool]:
        """Write feedback in one transaction, each in place of what was said of the same request by the same name.

        Give of each whether nothing was. Where another gateway has just said something of the same, the insert waits
        for it and leaves it alone; everybody writes in one order, so that none waits in a circle.
        """
        latest = {_key(each): each for each in said}
        rows = [asdict(latest[key]) for key in sorted(latest)]
        with self._database.transaction() as connection:
            about = feedback.c.request_id.in_({each.request_id for each in said})
            known = connection.execute(select(feedback.c.id, feedback.c.request_id, feedback.c.name).where(about)).all()
            replaced = {(row.request_id, row.name): row.id for row in known if (row.request_id, row.name) in latest}
            if replaced:
                connection.execute(delete(feedback).where(feedback.c.id.in_(replaced.values())))
            added = {tuple(row) for row in connection.execute(_ADDED, rows)}
            for row in rows:
                if (row["request_id"], row["name"]) not in added:
                    same = (feedback.c.request_id == row["request_id"]) & (feedback.c.name == row["name"])
                    connection.execute(update(feedback).where(same).values(row))
        new = {key for key in added if key not in replaced}
        first = {_key(each): place for place, each in reversed(list(enumerate(said)))}
        return [_key(each) in new and first[_key(each)] == place for place, each in enumerate(said)]

    def requests(self, request_ids: Sequence[str]) -> list[Record | None]:
        """Give the records of several requests, by their ids."""
        found = select(requests).where(requests.c.request_id.in_(set(request_ids)))
        with self._database.transaction() as connection:
            rows = connection.execute(found).mappings().all()
        records = {row["request_id"]: record_of(row) for row in rows}
        return [records.get(request_id) for request_id in request_ids]

    def newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        """Give the newest request of an application's unit, on a route or on any; copies apart.

        It is looked for among the newest rows: an index by unit would find the others too, and cost every record as
        much as all the rest of its writing.
        """
        oldest = select(func.max(requests.c.id)).scalar_subquery() - MOST_RECENT
        found = select(requests).where(
            requests.c.id > oldest,
            requests.c.unit_digest == unit_digest,
            requests.c.app == app,
            requests.c.shadow_of.is_(None),
        )
        if route is not None:
            found = found.where(requests.c.route == route)
        newest = found.order_by(requests.c.id.desc()).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(newest).mappings().one_or_none()
            return None if row is None else record_of(row)

    def forget(self, before: float, limit: int) -> int:
        """Delete the oldest feedback from before a wall time, `limit` at most; give how much."""
        oldest = select(feedback.c.id).where(feedback.c.at < before).order_by(feedback.c.at).limit(limit)
        with self._database.transaction() as connection:
            return connection.execute(delete(feedback).where(feedback.c.id.in_(oldest))).rowcount


def _key(said: Feedback) -> tuple[str, str]:
    return said.request_id, said.name
