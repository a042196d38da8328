"""Approvals in the store: what is written comes back, in one transaction, and of two at once one is refused."""

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.core.admission import Admission, GovernanceMove, RequestMove
from gateway.core.approval import approved, ended, signed
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.audit import ITSELF, By, Origin
from gateway.core.audit_acts import act_of_exception, act_of_standing, acts_of_request
from gateway.core.errors import Overtaken
from gateway.core.review import Review
from gateway.core.standing import Entry, registered, review
from tests.adapters.databases import opened
from tests.adapters.store_records import EXCEPTION, POLICY
from tests.core.approval_samples import ENG, RISK, SUBJECT, asked

pytestmark = pytest.mark.anyio

ENTRY = Entry("release", "desk", "1.1.0", {"model": "m"}, {"owner": "ada"})


def sign(request, who):
    """A request with somebody's sign-off."""
    return signed(request, who, role=None, digest=None, now=20.0)


async def approve(store, request):
    """Have a request signed and approved, as the service does; give the approval."""
    first = sign(request, ENG)
    await store.record_request(RequestMove(first), ())
    after, approval = approved(sign(first, RISK), 30.0)
    await store.record_request(RequestMove(after, approval), ())
    return approval


async def test_a_request_comes_back_with_its_sign_offs(place):
    """While it is open it is part of the record; afterwards it is found by asking."""
    async with opened(place) as store:
        request = asked(reason="better", rollback_plan="serve 1.0.0")
        await store.record_request(RequestMove(request), ())
        first = sign(request, ENG)
        await store.record_request(RequestMove(first), ())
        assert (first,) == (await store.recorded()).governance.requests
        after, approval = approved(sign(first, RISK), 30.0)
        await store.record_request(RequestMove(after, approval), ())
        found = (await store.recorded()).governance
        assert ((), (approval,)) == (found.requests, found.approvals)
        assert (after,) == await store.requests("production", None, 10)
        assert (after,) == await store.requests("production", "desk", 10)
        assert () == await store.requests("production", "sales", 10)
        assert () == await store.requests("test", None, 10)


async def test_of_two_at_once_one_is_overtaken(place):
    """Two persons race for the last sign-off: one transition is written, whole."""
    async with opened(place) as store:
        first = sign(asked(), ENG)
        await store.record_request(RequestMove(asked()), ())
        await store.record_request(RequestMove(first), ())
        moves = [RequestMove(*approved(sign(first, RISK), at)) for at in (30.0, 31.0)]
        results = await asyncio.gather(*(store.record_request(each, ()) for each in moves), return_exceptions=True)
        assert [False, True] == sorted(isinstance(each, Overtaken) for each in results)
        assert 1 == len((await store.recorded()).governance.approvals)


async def test_of_one_thing_one_request_is_open(place):
    """Another may be once that one has ended."""
    async with opened(place) as store:
        await store.record_request(RequestMove(asked()), ())
        with pytest.raises(Overtaken, match="request q1 is open for the same"):
            await store.record_request(RequestMove(replace(asked(), id="q2")), ())
        await store.record_request(RequestMove(ended(asked(), "withdraw", "ada", "", 30.0)), ())
        await store.record_request(RequestMove(replace(asked(), id="q2")), ())
        assert ["q2"] == [each.id for each in (await store.recorded()).governance.requests]


async def test_a_requests_move_and_its_releases_are_one_transaction(place):
    """Where the release was moved by somebody else, the request is not written either."""
    async with opened(place) as store:
        standing = registered(ENTRY, None, author=None, now=1.0)
        await store.record_routes((), [(ENTRY, standing)])
        wanted = review(standing, "request", "", 10.0)
        await store.record_request(RequestMove(asked(), standing=wanted), ())
        stale = review(standing, "revoke", "bad", 11.0)
        with pytest.raises(Overtaken):
            await store.record_request(RequestMove(ended(asked(), "reject", "eve", "", 12.0), standing=stale), ())
        found = await store.recorded()
        assert ((wanted,), True) == (found.standings, found.governance.requests[0].is_open)


async def test_policies_in_force_are_replaced_by_who_knows_them(place):
    """A change that rests on others than those in force is overtaken, and nothing of it is written."""
    async with opened(place) as store:
        await store.record_routes((), (), governed=GovernanceMove(policies=(POLICY,)))
        other = ApprovalPolicy("other", {"risk": 1})
        with pytest.raises(Overtaken, match="reload again"):
            await store.record_routes(
                (), [(ENTRY, registered(ENTRY, None, author=None, now=1.0))], governed=GovernanceMove(policies=(other,))
            )
        assert ((POLICY,), ()) == ((await store.recorded()).governance.policies, (await store.recorded()).standings)
        await store.record_routes((), (), governed=GovernanceMove(policies=(), after=frozenset({POLICY.digest})))
        assert () == (await store.recorded()).governance.policies


async def test_admissions_and_exceptions_come_back(place):
    """A later admission of the same release takes the place of an earlier one."""
    async with opened(place) as store:
        await store.record_request(RequestMove(asked()), ())
        approval = await approve(store, asked())
        await store.record_exceptions([EXCEPTION], ())
        free = Admission("production", "desk", "1.1.0", "d", "b", 1.0, ungoverned=True)
        by_approval = replace(free, digest=SUBJECT.digest, ungoverned=False, approval_id=approval.id)
        for admission in (free, by_approval):
            await store.record_routes((), (), governed=GovernanceMove((admission,)))
        ended_now = replace(EXCEPTION, ended_at=5.0)
        await store.record_exceptions([ended_now], ())
        found = (await store.recorded()).governance
        assert ((by_approval,), (ended_now,)) == (found.admissions, found.exceptions)


@pytest.mark.parametrize("by_request", [True, False])
async def test_a_release_that_is_revoked_or_rejected_is_admitted_no_more(place, by_request):
    """In the transaction that records it, in every environment; others stay."""
    async with opened(place) as store:
        standing = registered(ENTRY, None, author=None, now=1.0)
        mine = [Admission(each, "desk", "1.1.0", "d", "b", 1.0, ungoverned=True) for each in ("production", "test")]
        other = replace(mine[0], release="1.0.0")
        await store.record_routes((), [(ENTRY, standing)], governed=GovernanceMove((*mine, other)))
        if by_request:
            in_review = review(standing, "request", "", 2.0)
            await store.record_request(RequestMove(asked(), standing=in_review), ())
            move = RequestMove(
                ended(asked(), "reject", "eve", "bad", 3.0), standing=review(in_review, "reject", "bad", 3.0)
            )
            await store.record_request(move, ())
        else:
            revoked = review(standing, "revoke", "bad", 3.0)
            await store.record_standing(revoked, act_of_standing(revoked, "revoke", ITSELF))
        found = await store.recorded()
        assert found.standings[0].review in (Review.rejected, Review.revoked)
        assert (other,) == found.governance.admissions


async def test_what_is_said_and_admitted_is_told_in_the_trail(place):
    """In the same transaction, by whom and how: the request, each sign-off, the approval, and what rests on it."""
    ada, eve = By("ada", Origin("person", "author", "declared")), By("eve", Origin("person", "approver", "declared"))
    async with opened(place) as store:
        first, signed_once = RequestMove(asked()), RequestMove(sign(asked(), ENG))
        last = RequestMove(*approved(sign(signed_once.request, RISK), 30.0), reviewed=(EXCEPTION,))
        await store.record_exceptions([EXCEPTION], [act_of_exception(EXCEPTION, "emergency", ada, 30.0)])
        for move, verb, by in ((first, "request", ada), (signed_once, "sign", eve), (last, "approve", eve)):
            await store.record_request(move, tuple(acts_of_request(move, verb, by, 30.0)))
        await store.record_routes((), (), governed=GovernanceMove(policies=(POLICY,)))
        admission = Admission(*SUBJECT.place[1:], SUBJECT.digest, "b", 31.0, approval_id=last.approval.id)
        await store.record_routes((), (), governed=GovernanceMove((admission,)))
        told = [json.loads(each.entry.raw) for each in await store.trail.entries(0, 100)]
    assert [
        "release.emergency",
        "approval.request",
        "approval.sign",
        "approval.sign",
        "approval.approve",
        "approval_policy.change",
        "release.admit",
    ] == [each["action"] for each in told]
    assert {"person", "policy"} == {each["actor"]["kind"] for each in told}
    assert EXCEPTION.id == told[4]["details"]["emergencies"]
    assert "1 of engineering, 1 of risk" == told[1]["details"]["missing"]
    assert ("1 of risk", "110") == (told[2]["details"]["missing"], told[2]["details"]["deadline"])
    assert "missing" not in told[3]["details"]
    assert last.approval.id == told[-1]["details"]["approval"]


async def test_of_two_gateways_one_tells_what_becomes_of_an_exception(place):
    """Each writes what it has seen: what was first stays, the rest is added, and one entry tells each."""
    async with opened(place) as store:

        async def write(after, verb):
            await store.record_exceptions([after], [act_of_exception(after, verb, ITSELF, 30.0)])

        await write(EXCEPTION, "emergency")
        for at in (4.0, 4.5):
            await write(replace(EXCEPTION, overdue_at=at), "emergency_overdue")
        await store.record_exceptions([replace(EXCEPTION, reviewed_at=5.0)], ())
        for at in (9.0, 9.5):
            await write(replace(EXCEPTION, ended_at=at), "end_exception")
        told = [json.loads(each.entry.raw)["action"] for each in await store.trail.entries(0, 100)]
        (found,) = (await store.recorded()).governance.exceptions
    assert ["release.emergency", "release.emergency_overdue", "release.end_exception"] == told
    assert (4.0, 5.0, 9.0) == (found.overdue_at, found.reviewed_at, found.ended_at)


async def test_what_nothing_governs_is_told_where_approvals_are_asked_for(place):
    """Once; where no policy is in force it is not."""
    free = Admission("production", "sales", "1.0.0", "d", "b", 1.0, ungoverned=True)
    in_force = frozenset({POLICY.digest})
    async with opened(place) as store:
        await store.record_routes((), (), governed=GovernanceMove((replace(free, route="alone"),)))
        assert () == await store.trail.entries(0, 100)
        await store.record_routes((), (), governed=GovernanceMove(policies=(POLICY,)))
        for _ in range(2):
            moved = (replace(free, route="alone", digest="d2"), free)
            await store.record_routes((), (), governed=GovernanceMove(moved, after=in_force))
        told = [json.loads(each.entry.raw) for each in await store.trail.entries(0, 100)]
    assert ["approval_policy.change", "release.admit"] == [each["action"] for each in told]
    assert ("sales", "1.0.0", {"environment": "production", "governed_by": "nothing"}) == (
        told[1]["target"]["id"],
        told[1]["target"]["version"],
        told[1]["details"],
    )


async def test_a_request_that_is_overtaken_leaves_no_entry(place):
    """Neither does anything else that was not written."""
    async with opened(place) as store:
        await store.record_request(RequestMove(asked()), ())
        again = RequestMove(replace(asked(), id="q2"))
        with pytest.raises(Overtaken):
            await store.record_request(again, tuple(acts_of_request(again, "request", ITSELF, 30.0)))
        assert () == await store.trail.entries(0, 100)
