"""Where the demo is shown: nowhere, as plain lines act by act, or live in a terminal."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live

from gateway.cli.terminal import show


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

    def frame(self, head: Iterable[RenderableType], body: Iterable[RenderableType]) -> None:
        """An act goes on."""

    def closes(self, head: Iterable[RenderableType], body: Iterable[RenderableType]) -> None:
        """An act is over; this stays on the screen."""


class PlainScreen(Screen):
    """Plain lines: what an act is about when it begins, what came of it when it is over."""

    def opens(self, head: Iterable[RenderableType]) -> None:
        """Say what begins."""
        show(*head)

    def closes(self, head: Iterable[RenderableType], body: Iterable[RenderableType]) -> None:
        """Say what came of it."""
        del head
        show(*body, "")


class LiveScreen(Screen):
    """One picture, redrawn while an act goes on and left on the terminal when it is over."""

    def __init__(self) -> None:
        console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def frame(self, head: Iterable[RenderableType], body: Iterable[RenderableType]) -> None:
        """Redraw."""
        self._live.start()
        self._live.update(Group(*head, *body), refresh=True)

    def closes(self, head: Iterable[RenderableType], body: Iterable[RenderableType]) -> None:
        """Replace the picture by its last state, and go on below it."""
        self._live.update(Group())
        self._live.stop()
        show(*head, *body, "")
