"""What applications say of answers, in the ledger's table of feedback, and the requests that it is said of."""

from dataclasses import asdict

from sqlalchemy import delete, insert, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_records import record_of
from gateway.adapters.sql_schema import feedback, requests
from gateway.core.ports import Feedback
from gateway.core.record import Record


class SqlFeedback:
    """The rows of feedback. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, said: Feedback) -> None:
        """Write feedback in place of what was said of the same request by the same name."""
        earlier = (feedback.c.request_id == said.request_id) & (feedback.c.name == said.name)
        with self._database.transaction() as connection:
            connection.execute(delete(feedback).where(earlier))
            connection.execute(insert(feedback).values(asdict(said)))

    def newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        """Give the newest request of an application's unit, on a route or on any; copies apart."""
        found = select(requests).where(
            requests.c.unit_digest == unit_digest, requests.c.app == app, requests.c.shadow_of.is_(None)
        )
        if route is not None:
            found = found.where(requests.c.route == route)
        newest = found.order_by(requests.c.at.desc(), requests.c.id.desc()).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(newest).mappings().one_or_none()
            return None if row is None else record_of(row)

    def forget(self, before: float, limit: int) -> int:
        """Delete the oldest feedback from before a wall time, `limit` at most; give how much."""
        oldest = select(feedback.c.id).where(feedback.c.at < before).order_by(feedback.c.at).limit(limit)
        with self._database.transaction() as connection:
            return connection.execute(delete(feedback).where(feedback.c.id.in_(oldest))).rowcount
