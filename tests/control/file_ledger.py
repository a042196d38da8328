"""A ledger that is a file, for what reads and writes one."""

from contextlib import asynccontextmanager

from gateway.adapters.sql_ledger import SqlLedger
from tests.proxy.playbook import Clock, Journal


@asynccontextmanager
async def file_ledger(folder):
    """A ledger in a folder, which forgets nothing; closed at the end."""
    ledger = await SqlLedger.open(
        f"sqlite:///{folder}/a.db",
        meters_dropped=lambda _: None,
        journal=Journal(),
        clock=Clock(),
        retention_seconds=1e12,
        capacity=50_000,
    )
    try:
        yield ledger
    finally:
        await ledger.close()
