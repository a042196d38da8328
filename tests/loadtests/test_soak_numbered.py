"""Numbered streams: what is lost, reordered, duplicated or cut is seen, however the bytes are cut."""

import json

import pytest

from loadtests.soak.numbered import DONE, Order, Received, completion, event, is_completion, usage_event

MODEL = b"atlas"


def received(*numbers: int, end: bytes = usage_event(MODEL, 3) + DONE, size: int = 7) -> Received:
    """A stream of these events, as it comes in in pieces."""
    body = b"".join(event(MODEL, number) for number in numbers) + end
    found = Received()
    for start in range(0, len(body), size):
        found.feed(body[start : start + size])
    return found


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_whole_stream(size):
    """Whatever pieces it comes in."""
    assert received(0, 1, 2, size=size).is_whole(3)
    assert not received(0, 1, 2, size=size).is_whole(4)


@pytest.mark.parametrize(
    ("numbers", "missing", "reordered", "duplicated"),
    [((0, 2), {1}, 0, 0), ((0, 2, 1), set(), 1, 0), ((0, 1, 1, 2), set(), 0, 1), ((2, 2, 0), {1}, 1, 1)],
)
def test_what_is_wrong_with_a_stream_is_counted(numbers, missing, reordered, duplicated):
    """An event that comes late was not lost."""
    found = received(*numbers)
    assert (missing, reordered, duplicated) == (found.missing, found.reordered, found.duplicated)
    assert not found.is_whole(3)


def test_a_stream_without_its_end_is_cut():
    """Though all its events are there; and one that ends with an error is none."""
    assert not received(0, 1, 2, end=b"").is_whole(3)
    assert not received(0, 1, 2, end=DONE + b"data: half").is_whole(3)
    broken = received(0, end=b'data: {"error":{"message":"broken off"}}\n\n')
    assert (True, False) == (broken.has_error, broken.is_whole(1))


def test_a_whole_answer_says_every_number():
    """And nothing else is one."""
    assert is_completion(completion("atlas", 3), 3)
    assert not is_completion(completion("atlas", 3), 4)
    assert not is_completion(b"{}", 3)


def test_an_order_is_the_last_message():
    """A body without one is none of a soak's."""
    order = Order(5, 0.5, 2)
    body = {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": order.text()}]}
    assert order == Order.read(json.loads(json.dumps(body)))
    for other in ({}, {"messages": []}, {"messages": [{"content": "hi"}]}, {"messages": [{"content": "[1]"}]}):
        with pytest.raises(ValueError, match="no order"):
            Order.read(other)
