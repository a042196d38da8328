"""A clock that somebody moves by an hour, under requests, deadlines, approvals and exceptions."""

import pytest

from gateway.core.errors import VerbRefused
from gateway.core.review import Review
from tests.control.approval_world import governed
from tests.control.test_approvals import OPERATOR, asking, request, reviewed, sign

pytestmark = pytest.mark.anyio

HOUR = 3600.0
WEEK = 7 * 86_400.0
MOVES = pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["forwards", "backwards"])


@MOVES
async def test_a_request_is_signed_and_serves_whatever_the_clock_did_meanwhile(ahead):
    """An approval is no worse for having been given at a time that is not yet, or that was an hour ago."""
    async with asking() as (process, approvals):
        made = await request(approvals)
        process.clock.ahead = ahead
        await approvals.follow()
        assert [made] == list(approvals.open)
        assert "approved" == (await sign(approvals)).state.value
        process.clock.ahead = 0.0
        await approvals.follow()
        assert await process.serving.follow()
        assert (await process.serving.reload(governed("1.1.0"))).accepted
        assert "1.1.0" not in process.desk.out
        process.clock.ahead = -ahead
        process.live.swap_all()
        assert "1.1.0" not in process.desk.out


async def test_a_request_that_has_expired_by_a_clock_ahead_stays_so():
    """Setting the clock right revives nothing; it may be requested anew, with its whole time."""
    async with asking() as (process, approvals):
        await request(approvals)
        process.clock.now += WEEK - HOUR / 2
        process.clock.ahead = HOUR
        with pytest.raises(VerbRefused, match="past its deadline"):
            await sign(approvals)
        await approvals.follow()
        process.clock.ahead = 0.0
        await approvals.follow()
        assert ([], "expired") == (list(approvals.open), process.store.disk.requests[-1].state.value)
        assert Review.candidate is reviewed(process)
        again = await request(approvals)
        assert process.clock.wall() + WEEK == again.deadline
        assert "approved" == (await sign(approvals)).state.value


async def test_a_clock_that_went_back_gives_a_request_that_hour_more_and_no_more():
    """Its deadline is a time, and is what was said; it is reminded of once."""
    async with asking() as (process, approvals):
        made = await request(approvals)
        process.clock.now += WEEK - HOUR / 2
        await approvals.follow()
        process.clock.ahead = -HOUR
        process.clock.now += HOUR
        await approvals.follow()
        assert [made.id] == [each.id for each in approvals.open]
        assert 1 == len(process.events("approval_reminder"))
        process.clock.now += HOUR / 2
        await approvals.follow()
        assert [] == list(approvals.open)


@MOVES
async def test_an_exception_ends_by_the_clock_and_for_good(ahead):
    """By one that is ahead, early; and no clock that goes back brings it back."""
    async with asking() as (process, approvals):
        await approvals.grant("desk", "1.1.0", OPERATOR, until=process.clock.wall() + HOUR / 2, reason="a trial")
        assert await process.serving.follow()
        assert (await process.serving.reload(governed("1.1.0"))).accepted
        process.clock.ahead = ahead
        await approvals.follow()
        process.live.swap_all()
        assert (ahead > 0) == ("1.1.0" in process.desk.out)
        process.clock.ahead = HOUR
        await approvals.follow()
        assert await process.recording.settled(60)
        ended = process.store.disk.recorded.governance.exceptions[0].ended_at
        assert process.clock.wall() == ended
        process.clock.ahead = -HOUR
        await approvals.follow()
        process.live.swap_all()
        assert process.desk.out["1.1.0"].startswith("unapproved")
        assert ended == process.store.disk.recorded.governance.exceptions[0].ended_at
