"""A process that writes to a store until it is killed, and says each time what was acknowledged.

Run as `python store_writer.py URL NAME`: it prints `opening`, then a line with the epoch for each acknowledged write.
"""

import asyncio
import itertools
import sys

from gateway.adapters.sql_store import SqlStore
from gateway.core.plan import Plan
from gateway.core.recorded import RolloutEvent, RouteMove
from gateway.core.route_record import ServeLine, reconcile


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write(url: str, name: str) -> None:
    """Record a new route with its rollout, again and again; its number is in its name."""
    _say("opening")
    store = await SqlStore.open(url)
    for number in itertools.count():
        decision = reconcile(
            None,
            route=f"{name}-{number}",
            line=ServeLine("2.0.0"),
            rollout_from="1.0.0",
            plan=Plan.default(),
            now=float(number),
            new_id=f"{name}-{number}",
        )
        events = tuple(RolloutEvent(float(number), verb, rollout) for verb, rollout in decision.events)
        epoch = await store.record_routes([RouteMove(decision.record, events, after=0)])
        _say(str(epoch))


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
