"""The store's epoch: each change raises it, and by its row each writer waits for the one before."""

from sqlalchemy import Connection, select

from gateway.adapters.sql_schema import epoch

QUESTION = select(epoch.c.epoch)

_RAISED = epoch.update().values(epoch=epoch.c.epoch + 1).returning(epoch.c.epoch)


def current(connection: Connection) -> int:
    """Give the epoch of what this transaction sees."""
    return int(connection.execute(QUESTION).scalar_one())


def raised(connection: Connection) -> int:
    """Make every other writer wait until this transaction is over, and give the new epoch that it will have made."""
    return int(connection.execute(_RAISED).scalar_one())


def wait_for_writers(connection: Connection) -> None:
    """Make every other writer wait until this transaction is over, without a new epoch."""
    connection.execute(epoch.update().values(epoch=epoch.c.epoch))
