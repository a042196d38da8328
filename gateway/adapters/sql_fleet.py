"""What the gateways of one store have in common and tell nobody else, in the tables of the store."""

from sqlalchemy import Connection, select

from gateway.adapters.sql_engine import insert_if_new
from gateway.adapters.sql_schema import fleet_secret


def secret(connection: Connection, drawn: bytes) -> bytes:
    """Give the store's secret; `drawn` becomes it, where there is none."""
    connection.execute(insert_if_new(fleet_secret), [{"id": 1, "secret": drawn}])
    return bytes(connection.execute(select(fleet_secret.c.secret)).scalar_one())
