"""A release's way from a request to serving, by the real control over a real store, in lives that may be cut off.

Run as a program it reads lines `URL NUMBER`. For each it forks a process that goes that way, says what was
acknowledged, and is killed at the moment of that number: before a statement, before a commit, or after one. It then
says `killed`, or `done` where there were not so many moments.
"""

import asyncio
import itertools
import os
import signal
import sys
import traceback
from contextlib import asynccontextmanager

from sqlalchemy import event
from sqlalchemy.dialects.postgresql import psycopg  # noqa: F401 - here, since each fork would import it anew

from gateway.adapters import postgres_database  # noqa: F401 - the same
from gateway.adapters.sql_store import SqlStore
from gateway.control.approvals import Approvals
from tests.control import serving_world
from tests.control.approval_world import SIGNING, governed, policy
from tests.control.serving_world import files, route, serving
from tests.core.approval_samples import ADA, person

SIGNERS = (person("eve", "risk"), person("eng", "engineering"))
TWO = policy(requires="{risk: 1, engineering: 1}")
WANTED = governed("1.1.0", approval=TWO, tail=SIGNING)
PLACE = ("default", "desk", "1.1.0")


@asynccontextmanager
async def stored(url):
    """A store, closed at the end."""
    store = await SqlStore.open(url)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def lived(store):
    """A gateway's control that was started with files that ask for a release which nobody may have approved yet."""
    async with serving(WANTED, store) as process:
        yield process, Approvals(process.live, process.serving.considered)


async def prepare(url):
    """Let a release serve, and then an approval policy come."""
    async with stored(url) as store, serving(files(route()), store) as process:
        assert (await process.serving.reload(governed("1.0.0", approval=TWO, tail=SIGNING))).accepted
        assert await process.recording.settled(60)


async def go_on(process, approvals, say):
    """Ask, have everybody sign, and take the files anew: whatever of it is not done yet. `say` hears what is."""
    governance = process.live.state.governance
    if not governance.approvals:
        if not approvals.open:
            await approvals.request("desk", "1.1.0", ADA, reason="better", rollback_plan="back")
            say("requested")
        for who in SIGNERS:
            if all(each.person != who.name for each in approvals.open[0].sign_offs):
                await approvals.sign("desk", "1.1.0", who, role=None, digest=None, comment="read")
                say(f"signed-{who.name}")
        say("approved")
    await process.serving.follow()
    reload = await process.serving.reload(WANTED)
    assert reload.accepted, reload.problems
    assert await process.recording.settled(60)
    say("admitted")


def kill_at(engine, number):
    """Have this process killed at the moment of a number, from now on."""
    moments = itertools.count()

    def pass_by(*_):
        if next(moments) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "commit", "checkin"):
        event.listen(engine, moment, pass_by)


async def live(url, number):
    """One life."""

    def say(word):
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()

    async with stored(url) as store, lived(store) as (process, approvals):
        kill_at(store._database._engine, number)
        await go_on(process, approvals, say)


def main():
    """Fork a life for each line; nothing runs here but this loop, so that a fork is safe."""
    serving_world.IDS = itertools.count(1_000_000)  # none that whoever starts this has given
    for line in sys.stdin:
        url, number = line.split()
        life = os.fork()
        if life == 0:
            status = 1
            try:
                asyncio.run(live(url, int(number)))
                status = 0
            except BaseException:  # noqa: BLE001 - nothing of a fork may return into the loop that made it
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(life, 0)
        ended = "killed" if os.WIFSIGNALED(status) else "done" if status == 0 else "failed"
        sys.stdout.write(f"{ended}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
