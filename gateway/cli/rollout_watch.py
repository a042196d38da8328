"""Watching a rollout: asked for again and again until it is over, and shown as a picture, as lines or as JSON."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from gateway.cli.gateway_client import Away, Misused, NotNow
from gateway.cli.rollout_picture import picture, waiting_for
from gateway.cli.rollout_text import SHOWN_FOR, standing_of_route
from gateway.cli.terminal import line, moment, printable, show

PATIENCE = 30.0
"""Seconds for which a gateway that has gone away is asked again."""

RETRY = 1.0
"""Seconds at most between two such attempts."""

EXIT_CODES: Mapping[str, int] = {"completed": 0, "rolled_back": 1, "superseded": 1}
"""The states that a rollout ends in, and what the command that watched it exits with."""

Told = Mapping[str, Any]
"""A rollout as the operations API explains it."""


class Screen:
    """Where a watched rollout is shown. This one prints a line for each change of what a person would act on."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """`wall` tells the time of each line, in seconds since 1970."""
        self._wall = wall
        self._seen: object = None
        self._is_away = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the terminal back."""

    def show(self, told: Told) -> None:
        """Show a rollout as it is now."""
        self._is_away = False
        seen = what_matters(told)
        if seen != self._seen:
            self._seen = seen
            self.changed(told)

    def changed(self, told: Told) -> None:
        """Print a rollout that has changed."""
        waits = [wait["sentence"] for wait in waiting_for(told)]
        state = told["state"]
        if state in EXIT_CODES:
            why = f"; {told['actor']}: {told['reason']}"
        else:
            why = f"; waits for: {'; '.join(waits)}" if waits else ""
        is_explained = bool(waits) or state not in SHOWN_FOR
        show(line(f"{moment(self._wall())} ") + standing_of_route(told, [] if is_explained else None) + line(why))

    def away(self, message: str) -> None:
        """Say, once, that the gateway is away."""
        if not self._is_away:
            self._is_away = True
            click.echo(f"pinion: {printable(message)}; asking again for {PATIENCE:.0f} s", err=True)


class JsonScreen(Screen):
    """Prints what the gateway answers, a JSON object a line, at each change."""

    def changed(self, told: Told) -> None:
        """Print the answer."""
        click.echo(json.dumps(told, ensure_ascii=False))


class LiveScreen(Screen):
    """A picture on the terminal, redrawn each time; its last state stays there."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._told: Told | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.update(Group())
        self._live.stop()
        if self._told is not None:
            show(*picture(self._told, self._console.width, self._console.height))

    def show(self, told: Told) -> None:
        """Redraw."""
        self._told = told
        self._draw(below=line(("Ctrl-C ends the watch, not the rollout", "dim")))

    def away(self, message: str) -> None:
        """Say above the picture that it is an old one."""
        note = f"{message}; asking again for {PATIENCE:.0f} s; this is what it said last:"
        self._draw(above=line((note, "bold red")))

    def _draw(self, *, above: Text | None = None, below: Text | None = None) -> None:
        shown = [] if self._told is None else picture(self._told, self._console.width, self._console.height)
        parts = [above, *shown, below]
        self._live.update(Group(*(part for part in parts if part is not None)), refresh=True)


def screen_for(*, as_json: bool) -> Screen:
    """Give the screen of this process's output."""
    if as_json:
        return JsonScreen()
    return LiveScreen() if sys.stdout.isatty() else Screen()


def what_matters(told: Told) -> object:
    """Give what of a rollout makes a change that is worth a line: state, step, and why it is not left."""
    codes = dict.fromkeys(wait["code"] for wait in waiting_for(told))
    return told["id"], told["state"], told["step"], tuple(told["holds"]), tuple(codes)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give, for the length of a `with` block, what tells whether Ctrl-C was pressed.

    It raises KeyboardInterrupt as ever; but Python drops an exception that a signal raises amid a destructor, so
    whoever goes on for ever asks as well.
    """
    pressed: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


class Watch:
    """Asks for a rollout every `interval` seconds, until it is over or `is_ended` says so; `clock` is monotonic."""

    def __init__(
        self,
        ask: Callable[[], Told],
        screen: Screen,
        interval: float,
        *,
        is_ended: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._screen = screen
        self._interval = interval
        self._is_ended = is_ended
        self._clock = clock
        self._sleep = sleep

    def run(self) -> int:
        """Watch until the rollout is over, another has taken its place or the watch is ended; give the exit code.

        Raises:
            Misused: the gateway cannot be asked, or has been away for too long.
            Refused: the gateway says no.
        """
        told = self._ask()
        rollout = told["id"]
        with self._screen:
            while not self._is_ended():
                self._screen.show(told)
                if told["id"] != rollout:
                    return EXIT_CODES["superseded"]
                if told["state"] in EXIT_CODES:
                    return EXIT_CODES[told["state"]]
                self._sleep(self._interval)
                told = self._ask_on()
        return 0

    def _ask_on(self) -> Told:
        """Ask again, and go on asking a gateway that is away for as long as there is patience."""
        answered_at = self._clock()
        while True:
            try:
                return self._ask()
            except (Away, NotNow) as fault:
                if self._clock() - answered_at >= PATIENCE:
                    raise Misused(
                        f"{fault.message}; it has been away for {PATIENCE:.0f} s, so the watch ends"
                    ) from fault
                self._screen.away(fault.message)
            self._sleep(min(self._interval, RETRY))
