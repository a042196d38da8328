"""What libraries log: taken into the journal, so that standard error holds structured lines alone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from gateway.core.ports import Journal

MAX_MESSAGE = 200


class ForeignLogs(logging.Handler):
    """Tells a journal of the warnings and errors that go through the standard library's logging.

    Of an exception only its type and place are told, and of a message its unfilled form: either may quote a request.
    """

    def __init__(self, journal: Journal, expected: tuple[type[BaseException], ...]) -> None:
        """`expected` exceptions are nobody's news."""
        super().__init__(logging.WARNING)
        self._journal = journal
        self._expected = expected

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and isinstance(error, self._expected):
            return
        said = str(record.msg).strip().partition("\n")[0][:MAX_MESSAGE]
        level = "error" if record.levelno >= logging.ERROR else "warning"
        more = {} if error is None else {"error": type(error).__name__, "at": _place(error)}
        self._journal.event("library_log", level=level, logger=record.name, message=said, **more)


@contextmanager
def journalled(journal: Journal, *expected: type[BaseException]) -> Iterator[None]:
    """Take what libraries log into a journal for the length of a `with` block, but for `expected` exceptions."""
    handler = ForeignLogs(journal, expected)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _place(error: BaseException) -> str | None:
    """Where an exception was raised: file, line and function."""
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else None
