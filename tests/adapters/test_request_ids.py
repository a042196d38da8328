"""Request ids."""

import re

from gateway.adapters.request_ids import RequestIds


def test_ids_are_different_and_of_one_form():
    """Any number of them, beyond what is drawn at once."""
    new_id = RequestIds()
    made = [new_id() for _ in range(3_000)]
    assert 3_000 == len(set(made))
    assert all(re.fullmatch("req_[0-9a-f]{32}", request_id) for request_id in made)


def test_ids_begin_with_the_time():
    """A later one is greater, so that an index takes it at its end."""
    times = iter((1_700_000_000_000_000_000, 1_700_000_000_001_000_000))
    new_id = RequestIds(nanos=lambda: next(times))
    first, second = new_id(), new_id()
    assert f"req_{1_700_000_000_000:012x}" == first[:16]
    assert first < second


def test_randomness_is_drawn_for_many_at_once_and_used_once():
    """No two ids share any of it."""
    drawn = []

    def draw(count):
        drawn.append(count)
        return bytes(n % 251 for n in range(count))

    new_id = RequestIds(draw, nanos=lambda: 0)
    made = [new_id() for _ in range(513)]
    assert [5120, 5120] == drawn
    assert "000102030405060708090a0b0c0d0e0f10111213" == made[0][-20:] + made[1][-20:]
    assert made[0] == made[512]


def test_an_id_factory_shows_none():
    """What comes next is nobody's business."""
    assert "<RequestIds>" == repr(RequestIds())
