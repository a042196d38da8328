"""Audit trails of real stores: acts to write, what a check says, and a writer that ends itself in the middle.

Run as `python audit_trails.py URL NAME COUNT` it writes so many entries; with a fourth argument it kills itself before
its statement of that number, and otherwise prints `done`.
"""

import asyncio
import os
import signal
import sys
from contextlib import closing

from sqlalchemy import event

from gateway.adapters.sql_audit import append
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_epoch import wait_for_writers
from gateway.adapters.sql_store import SqlStore
from gateway.core.audit import AuditAct, Target
from gateway.core.audit_check import Check


def act(number=1, **changes):
    """An act by ada."""
    told = {"actor": "ada", "action": "rollout.promote", "target": Target("route", f"route-{number}"), "reason": "why"}
    return AuditAct(at=float(number), **{**told, **changes})


async def verdict_of(trail, checkpoints=(), most=7):
    """What a check says of the trail of a store."""
    check, head, after = Check(checkpoints), await trail.head(), 0
    while found := await trail.entries(after, most):
        check.take(found)
        after = max(after + 1, found[-1].entry.seq)
    return check.end(0, None) if head is None else check.end(head.size, head.root)


def verdict_at(place, checkpoints=()):
    """What a check says of the trail of a store that nobody has open."""

    async def check():
        store = await SqlStore.open(place.url)
        try:
            return await verdict_of(store.trail, checkpoints)
        finally:
            await store.close()

    return asyncio.run(check())


def write(database, name, count, at_once=1):
    """Append entries, so many in each transaction."""
    for number in range(0, count, at_once):
        with database.transaction() as connection:
            wait_for_writers(connection)
            append(connection, [act(number + one, actor=name) for one in range(at_once)])


def kill_before(database, number):
    """Have this process killed before a statement: the first of a transaction is number 0, its commit the last."""
    left = [number]

    def count(*_):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database._engine, "before_cursor_execute", count)
    event.listen(database._engine, "commit", count)


def main(url, name, count, *number):
    """Write, and end as told."""
    with closing(Database.open(url, "store")) as database:
        if number:
            kill_before(database, int(number[0]))
        write(database, name, int(count), max(1, int(count) // 200))
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
