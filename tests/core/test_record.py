"""A record holds no text."""

from dataclasses import fields, is_dataclass

import pytest

from gateway.core.record import Record, Tried

TEXT = {"prompt", "messages", "answer", "body", "text", "unit", "input", "output", "key"}


@pytest.mark.parametrize("kind", [Record, Tried])
def test_a_record_is_a_value_without_text(kind):
    """Of a request's words there is a digest, and nothing else."""
    assert is_dataclass(kind)
    assert set() == TEXT & {field.name for field in fields(kind)}


def test_attempts_are_compared_by_what_they_say():
    """As every value."""
    assert Tried("1.0.0", "stable", "ok", 200) == Tried("1.0.0", "stable", "ok", 200)
