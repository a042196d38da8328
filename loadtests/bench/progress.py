"""How far a run is: a bar on a terminal, lines elsewhere; neither draws while something is timed."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Tells on standard error; `steps` is how many rounds there will be about."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._began = time.monotonic()
        # Drawn only when something is said: a thread that redraws would be measured with the load.
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=console, auto_refresh=False, transient=True)
        self._task = self._bar.add_task("starting", total=steps)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, what: str, *, steps: int = 0) -> None:
        """Say what is being done, and how many steps are done with it."""
        self._bar.update(self._task, description=what[:70], advance=steps)
        if self._console.is_terminal:
            self._bar.refresh()
        else:
            print(f"{time.monotonic() - self._began:6.1f} s  {what}", file=self._console.file, flush=True)
