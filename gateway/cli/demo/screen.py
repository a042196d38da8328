"""Where the demo is shown: nowhere, as plain lines as it happens, or live in a terminal."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live

from gateway.cli.terminal import show

Body = Callable[[], Iterable[RenderableType]]
"""Makes what an act shows now below what it has told; asked only where that is shown."""


class Screen:
    """Shows nothing, for who asks for JSON."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the terminal back."""

    def opens(self, head: Iterable[RenderableType]) -> None:
        """An act begins."""

    def tells(self, said: Iterable[RenderableType]) -> None:
        """Something has happened, and stays told."""

    def frame(self, body: Body) -> None:
        """An act goes on."""

    def closes(self, body: Body) -> None:
        """An act is over; this stays on the screen."""


class PlainScreen(Screen):
    """Plain lines: what an act is about when it begins, what happens when it does, the rest when it is over."""

    def opens(self, head: Iterable[RenderableType]) -> None:
        """Say what begins."""
        show(*head)

    def tells(self, said: Iterable[RenderableType]) -> None:
        """Say it at once."""
        show(*said)

    def closes(self, body: Body) -> None:
        """Say what came of it."""
        show(*body(), "")


class LiveScreen(Screen):
    """One picture, redrawn while an act goes on and left on the terminal when it is over."""

    def __init__(self) -> None:
        console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._said: list[RenderableType] = []

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def opens(self, head: Iterable[RenderableType]) -> None:
        """Begin a picture."""
        self._said = [*head]

    def tells(self, said: Iterable[RenderableType]) -> None:
        """Put it into the picture, from the next frame on."""
        self._said += said

    def frame(self, body: Body) -> None:
        """Redraw."""
        self._live.start()
        self._live.update(Group(*self._said, *body()), refresh=True)

    def closes(self, body: Body) -> None:
        """Replace the picture by its last state, and go on below it."""
        self._live.update(Group())
        self._live.stop()
        show(*self._said, *body(), "")
