"""A record holds no text."""

from dataclasses import fields, is_dataclass, replace
from json import dumps, loads

import pytest

from gateway.core.record import Record, Tried
from tests.adapters.ledger_records import FULL

TEXT = {"prompt", "messages", "answer", "body", "text", "unit", "input", "output", "key"}


@pytest.mark.parametrize("kind", [Record, Tried])
def test_a_record_is_a_value_without_text(kind):
    """Of a request's words there is a digest, and nothing else."""
    assert is_dataclass(kind)
    assert set() == TEXT & {field.name for field in fields(kind)}


def test_attempts_are_compared_by_what_they_say():
    """As every value."""
    assert Tried("1.0.0", "stable", "ok", 200) == Tried("1.0.0", "stable", "ok", 200)


def test_a_summary_is_what_the_log_says():
    """Who answered, how it ended, what it used and cost in dollars; attempts are a number."""
    summary = FULL.summary()
    assert {
        "request_id": "req-1",
        "route": "support",
        "release": "1.0.0",
        "track": "stable",
        "app": "helpdesk",
        "endpoint": "responses",
        "outcome": "ok",
        "status": 200,
        "seconds": 1.5,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost_usd": 0.0035,
        "input_digest": "1e",
        "attempts": 2,
    } == summary
    assert summary == loads(dumps(summary))


def test_a_summary_does_not_make_up_what_is_unknown():
    """A cost that nobody knows is none, one of nothing is zero, and seconds are told to the millionth."""
    assert [None, 0.0] == [replace(FULL, cost_nano_usd=cost).summary()["cost_usd"] for cost in (None, 0)]
    assert 0.123457 == replace(FULL, seconds=0.1234567).summary()["seconds"]
