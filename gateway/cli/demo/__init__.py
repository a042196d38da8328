"""`pinion demo`: rollouts that end well, slow and badly, on real traffic between processes of its own."""

import asyncio
import importlib
import importlib.util
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from uvicorn.loops.auto import auto_loop_factory

from gateway.cli.demo.acts import ACTS, Act
from gateway.cli.demo.figures import Figures
from gateway.cli.demo.picture import STARTING
from gateway.cli.demo.promises import broken_promises
from gateway.cli.demo.screen import LiveScreen, PlainScreen, Screen
from gateway.cli.demo.summary import summary
from gateway.cli.gateway_client import Misused
from gateway.cli.terminal import show, show_json

SDKS = ("openai", "anthropic")
INTERRUPTED = 130
"""The exit code of what was interrupted, as shells give it."""

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option(
    "--act",
    "numbers",
    type=click.IntRange(1, len(ACTS)),
    multiple=True,
    help="Play this act alone; several in one go where it is given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Show nothing, then print the figures as one JSON object.")
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Keep the policies, the databases and the logs in a new FOLDER.",
)
def demo(numbers: Sequence[int], keep: Path | None, *, as_json: bool) -> None:
    """Show rollouts that the gateway completes or rolls back by itself, and measure them.

    Starts simulated providers, a gateway with policies of its own, and callers with the official SDKs, and ends them
    all. Exits 0 when every figure holds that must, 1 when one does not.
    """
    acts = [act for act in ACTS if act.number in numbers or not numbers]
    missing = [name for name in SDKS if importlib.util.find_spec(name) is None]
    if missing:
        raise Misused(f"the demo needs {' and '.join(missing)}; install pinion-gateway[demo]")
    try:
        with _screen(as_json=as_json) as screen:
            figures = _figures(acts, keep, screen)
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo("pinion: interrupted; what the demo started has ended", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(0 if tell(figures, as_json=as_json) else 1)


def tell(figures: Figures, *, as_json: bool) -> bool:
    """Print what was measured, and give whether all of it holds that must."""
    problems = list(broken_promises(figures))
    if as_json:
        show_json({"ok": not problems, "problems": problems, **asdict(figures)})
    else:
        show(*summary(figures, problems))
    return not problems


def _figures(acts: Sequence[Act], keep: Path | None, screen: Screen) -> Figures:
    """Play the demo. The SDKs, which take a second or two to import, are asked for only once the screen says so."""
    screen.opens(STARTING)
    screen.frame(tuple)
    play = importlib.import_module("gateway.cli.demo.play").play

    async def played() -> Figures:
        with _folder(keep) as folder:
            figures: Figures = await play(acts, folder, screen)
        return figures

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(_until_signalled(played()))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give a folder for the demo's files: the one to keep, or one that vanishes.

    Raises:
        Misused: the one to keep is there already, or cannot be made.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="pinion-demo-") as made:
            yield Path(made)
        return
    try:
        keep.mkdir(parents=True)
    except OSError as exc:
        raise Misused(f"cannot make {keep}: {exc.strerror}; name a folder that is not there yet") from exc
    yield keep


def _screen(*, as_json: bool) -> Screen:
    if as_json:
        return Screen()
    return LiveScreen() if sys.stdout.isatty() else PlainScreen()


async def _until_signalled(playing: Coroutine[Any, Any, Figures]) -> Figures:
    """Play to the end, or until a signal; then everything that was started is still stopped in order."""
    task = asyncio.ensure_future(playing)
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()

    def end() -> None:
        if not signalled.is_set():  # a second Ctrl-C must not cut the stopping short
            signalled.set()
            task.cancel()

    for one in ENDINGS:
        loop.add_signal_handler(one, end)
    return await task
