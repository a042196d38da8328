"""`pinion serve`: run the gateway."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from uvicorn.loops.auto import auto_loop_factory

from gateway.adapters.worker_place import WorkerPlace
from gateway.cli.option import read_by
from gateway.core.duration import parse_duration
from gateway.core.errors import PinionError, PolicyFault
from gateway.core.size import parse_size
from gateway.settings import Settings
from gateway.supervisor import Supervisor
from gateway.wiring import Gateway

FILE = click.Path(path_type=Path)
PORT = click.IntRange(0, 65_535)

INTERRUPTED = 130
"""The exit code of what an interrupt ended before it served, as shells give it."""


_duration = read_by(parse_duration)


@click.command(
    context_settings={"auto_envvar_prefix": "PINION", "show_default": True},
    epilog="Each option is read from the environment too: --admin-port from PINION_ADMIN_PORT, and so on. The operator"
    " token comes from PINION_ADMIN_TOKEN alone. SIGHUP reloads the policies; SIGTERM drains, a second one ends at"
    " once; SIGUSR2 replaces the workers, where there are several, one after another.",
)
@click.option("--policies", type=FILE, default="policies", help="Folder of policy files, watched for changes.")
@click.option("--host", default="127.0.0.1", help="Address of the applications' API.")
@click.option("--port", type=PORT, default=8080, help="Its port; 0 takes a free one.")
@click.option("--admin-host", default="127.0.0.1", help="Address of the operations API.")
@click.option("--admin-port", type=PORT, default=8081, help="Its port; 0 takes a free one.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    help="Processes behind the port, on PostgreSQL; their operations APIs are at the admin port and those after it.",
)
@click.option(
    "--store",
    metavar="URL",
    default="sqlite:///pinion.db",
    help="Database that holds what is true and the ledger: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
)
@click.option(
    "--store-copy",
    type=FILE,
    default="pinion-store-copy.json",
    help="Last known copy of a PostgreSQL store, to start from while it is away.",
)
@click.option("--environment", metavar="NAME", default="default", help="Where it runs, as in production.")
@click.option(
    "--fleet",
    metavar="URL",
    help="Redis by which the gateways of one PostgreSQL store hear of each other at once: redis://HOST or rediss://HOST.",
)
@click.option("--tls-cert", type=FILE, help="Certificate chain of the applications' API, as PEM.")
@click.option("--tls-key", type=FILE, help="Its private key, as PEM.")
@click.option("--dev", is_flag=True, help="Let versions change that have served; on loopback alone.")
@click.option(
    "--drain-delay",
    metavar="DURATION",
    default="2s",
    callback=_duration,
    help="How long a stopping gateway is not ready but still listens.",
)
@click.option(
    "--drain-grace",
    metavar="DURATION",
    default="120s",
    callback=_duration,
    help="How long open requests may then take to end.",
)
@click.option(
    "--max-body",
    metavar="SIZE",
    default="32MiB",
    callback=read_by(parse_size),
    help="Largest request body, also once decompressed.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    default=10_000,
    help="Requests that may be under way at once; one more is a 503.",
)
@click.option(
    "--retention", metavar="DURATION", default="30d", callback=_duration, help="Age at which records leave the ledger."
)
@click.option("--audit-key", type=FILE, help="Key that signs the audit trail; `pinion audit key` makes one.")
@click.option(
    "--audit-anchor",
    metavar="ANCHOR",
    multiple=True,
    help="Where checkpoints are sent: file:PATH, git:PATH or https://HOST/PATH; may be given again.",
)
@click.option(
    "--audit-every", type=click.IntRange(1), default=256, help="Entries after which the audit trail is signed again."
)
@click.option(
    "--notify",
    metavar="URL",
    multiple=True,
    help="Where notifications are posted, https://HOST/PATH; may be given again. Signed with PINION_NOTIFY_SECRET.",
)
def serve(workers: int, **settings: Any) -> None:
    """Serve the routes of a policy folder.

    Prints one line when both listeners are ready, logs JSON lines to standard error, and exits 0 once drained, 2 when
    it cannot start.
    """
    try:
        told = Settings(
            **settings,
            admin_token=os.environ.get("PINION_ADMIN_TOKEN") or None,
            audit_webhook_secret=os.environ.get("PINION_AUDIT_WEBHOOK_SECRET") or None,
            notify_secret=os.environ.get("PINION_NOTIFY_SECRET") or None,
        )
        place = WorkerPlace.of(os.environ)
        if workers > 1 and place is None:
            supervisor = Supervisor(told, workers, [sys.executable, *sys.orig_argv[1:]])
            asyncio.run(supervisor.run(click.echo))
            return
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_run(told, place))
    except PolicyFault as fault:
        for problem in fault.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    except PinionError as fault:
        click.echo(f"pinion: {fault.message}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


async def _run(settings: Settings, place: WorkerPlace | None) -> None:
    """Make the gateway within the loop that it runs on, and serve."""
    if place is None:
        await Gateway(settings).run(click.echo)
        return
    gateway = Gateway(replace(settings, store_copy=place.own(settings.store_copy)), place=place)
    with place.heeding({**gateway.ending.words(), "reload": gateway.reload_soon}):
        await gateway.run(place.ready)
