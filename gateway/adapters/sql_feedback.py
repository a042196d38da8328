"""What applications say of answers, in the ledger's table of feedback."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, select, update

from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import feedback
from gateway.core.feedback import Feedback

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


def _key(said: Feedback) -> tuple[str, str]:
    return said.request_id, said.name
