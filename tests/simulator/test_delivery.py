"""The pace of tokens and the places of cuts, without a socket."""

import pytest

from gateway.simulator.behaviour import Behaviour
from gateway.simulator.delivery import Cut, Outlet, Pace

pytestmark = pytest.mark.anyio


class Kept:
    """A reply that keeps what it is given."""

    def __init__(self):
        self.pieces = []

    async def write(self, data):
        """Keep a piece."""
        self.pieces.append(data)


async def test_an_outlet_splits():
    """Every piece has at most the set number of bytes, and all bytes come through in order."""
    reply = Kept()
    await Outlet(reply, Behaviour(split=2)).write(b"abcde")
    assert [b"ab", b"cd", b"e"] == reply.pieces


@pytest.mark.parametrize(("size", "kept"), [(0, b""), (4, b"abcd"), (5, b"abcde")])
async def test_an_outlet_cuts_at_the_byte(size, kept):
    """Bytes up to the cut come through, whatever pieces they came in."""
    reply = Kept()
    outlet = Outlet(reply, Behaviour(cut_at=size))

    async def write_all():
        for piece in (b"ab", b"cde", b"f"):
            await outlet.write(piece)

    with pytest.raises(Cut):
        await write_all()
    assert kept == b"".join(reply.pieces)


async def test_an_outlet_passes_nothing_for_nothing():
    """An empty piece is not written: in a chunked body it would be the end."""
    reply = Kept()
    await Outlet(reply, Behaviour()).write(b"")
    assert [] == reply.pieces


async def test_a_pace_without_times_does_not_wait():
    """Without a rate and a first-token time, tokens are due at once, any number of them."""
    pace = Pace(Behaviour())
    await pace.token()
    await pace.tokens(10**9)
