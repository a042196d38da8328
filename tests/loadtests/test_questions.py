"""Requests of the load."""

import json

import pytest

from loadtests.bench.questions import body_of, question, users
from loadtests.bench.setups import Address


@pytest.mark.parametrize("size", [1024, 100 * 1024])
def test_a_body_has_the_wanted_size(size):
    """The text is cut to fill it."""
    body = body_of("desk-0", "user-1", size)
    assert size == len(body)
    assert {"model", "user", "messages"} == set(json.loads(body))


def test_a_stream_is_asked_for_with_its_usage():
    """So that every gateway relays the same events."""
    body = json.loads(body_of("desk-0", "user-1", 1024, stream=True))
    assert (True, {"include_usage": True}) == (body["stream"], body["stream_options"])


def test_routes_are_asked_in_turn():
    """By the body's model, or by the path, and users differ."""
    by_model, by_path = Address(80, routes=3), Address(80, routes=3, routes_by_path=True)
    assert [b'"model":"desk-1"' in question(number, by_model, 1024) for number in range(3)] == [False, True, False]
    assert question(4, by_path, 1024).startswith(b"POST /desk-1/v1/chat/completions ")
    assert question(4, by_model, 1024).startswith(b"POST /v1/chat/completions ")
    assert b'"user":"user-4"' in question(4, by_model, 1024)


def test_prepared_requests_stay_bounded():
    """Large bodies mean fewer users, but every route is asked."""
    assert 4000 == users(Address(80), 1024)
    assert 400 > users(Address(80), 100 * 1024)
    assert 1000 == users(Address(80, routes=1000), 100 * 1024)
