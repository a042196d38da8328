"""What the gateways of one store have in common and tell nobody else, in the tables of the store."""

from sqlalchemy import Connection, select

from gateway.adapters.sql_engine import insert_if_new, insert_or_replace
from gateway.adapters.sql_schema import fleet_secret, fleet_size


def secret(connection: Connection, drawn: bytes) -> bytes:
    """Give the store's secret; `drawn` becomes it, where there is none."""
    connection.execute(insert_if_new(fleet_secret), [{"id": 1, "secret": drawn}])
    return bytes(connection.execute(select(fleet_secret.c.secret)).scalar_one())


def size(connection: Connection) -> int:
    """Give how many gateways there were last; 1 where no fleet has told."""
    found = connection.execute(select(fleet_size.c.replicas)).scalar_one_or_none()
    return 1 if found is None else int(found)


def put_size(connection: Connection, replicas: int) -> None:
    """Write how many gateways there are."""
    connection.execute(insert_or_replace(fleet_size), [{"id": 1, "replicas": replicas}])
