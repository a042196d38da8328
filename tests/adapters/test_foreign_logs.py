"""What libraries log, in the journal."""

import logging

import pytest

from gateway.adapters.foreign_logs import journalled
from tests.proxy.playbook import Journal


class Expected(Exception):
    """Nobody's news."""


@pytest.fixture
def journal():
    """A journal that is told, for one test."""
    found = Journal()
    with journalled(found, Expected):
        yield found


def raised(error: Exception) -> Exception:
    """An exception with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


def test_a_warning_becomes_an_event(journal):
    """With the logger's name and the message's first line; what fills it may be anyone's words, and is left out."""
    logging.getLogger("some.library").warning("  took %s\nand more", "a secret")

    assert [("library_log", {"level": "warning", "logger": "some.library", "message": "took %s"})] == journal.events


def test_an_error_names_its_exception_and_its_place(journal):
    """Not its message, which may quote a request."""
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=raised(ValueError("a secret")))
    _, fields = journal.events[0]

    assert ("error", "ValueError", "Exception in ASGI application") == tuple(
        fields[name] for name in ("level", "error", "message")
    )
    assert fields["at"].startswith("test_foreign_logs.py:")
    assert fields["at"].endswith(" in raised")
    assert "secret" not in str(fields)


def test_an_exception_that_was_never_raised_has_no_place(journal):
    """It is told all the same."""
    logging.getLogger("x").error("hm", exc_info=ValueError())

    assert None is journal.events[0][1]["at"]


def test_what_is_expected_is_not_told(journal):
    """Nor what is less than a warning."""
    logging.getLogger("x").error("cut", exc_info=raised(Expected()))
    logging.getLogger("x").info("hello")

    assert [] == journal.events


def test_it_ends_with_its_block():
    """Nothing is told after that."""
    journal = Journal()
    with journalled(journal):
        pass
    logging.getLogger("x").warning("late")

    assert [] == journal.events
