"""`pinion serve` whose webhooks may be on this machine, for tests with a receiver of their own.

Nothing that users run can do so: who names a webhook's address must not reach what is inside.
"""

import asyncio
import os

import click

from gateway.cli.serve import serve
from gateway.core.address import is_loopback
from gateway.settings import Settings
from gateway.wiring import Gateway


@click.command(params=serve.params)
def near(workers, **settings):
    """Serve as one worker of `pinion serve` does."""
    assert 1 == workers
    asyncio.run(_run(Settings(**settings, notify_secret=os.environ["PINION_NOTIFY_SECRET"])))


async def _run(settings):
    await Gateway(settings, may_call=is_loopback).run(click.echo)


if __name__ == "__main__":
    near()
