"""Approvals over real stores whose writers are killed, whose disk is full, or who come at the same moment."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import gateway
from gateway.core.approval import RequestState
from gateway.core.errors import StoreFault
from gateway.core.review import Review
from tests.adapters import approval_life
from tests.adapters.approval_life import PLACE, SIGNERS, go_on, lived, stored
from tests.adapters.audit_trails import verdict_of
from tests.adapters.databases import PostgresPlace
from tests.core.approval_samples import ADA, person

pytestmark = pytest.mark.anyio

ROOT = Path(gateway.__file__).parent.parent
MOST_LIVES = 1_000
ENDS = ("killed", "done", "failed")


@contextmanager
def lives():
    """Gives what has a life lived: (URL, moment) to what it acknowledged, and how it ended."""
    command = [sys.executable, "-m", "tests.adapters.approval_life"]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, **streams) as forking:

        def live(url, number):
            forking.stdin.write(f"{url} {number}\n")
            forking.stdin.flush()
            said = []
            while not said or said[-1] not in ENDS:
                said.append(forking.stdout.readline().rstrip("\n"))
                assert said[-1], f"nothing more after {said}"
            return said[:-1], said[-1]

        yield live
        forking.stdin.close()


async def told_by(store):
    """How often the trail tells of each act on a release and on requests for it."""
    entries = [json.loads(each.entry.raw) for each in await store.trail.entries(0, 1_000)]
    mine = [each["action"] for each in entries if each["target"]["version"] == "1.1.0"]
    return Counter(each for each in mine if each.startswith(("approval.", "release.")))


async def expect_whole(store, acknowledged):
    """Nothing that was acknowledged is lost, and nothing is half there: each thing with all that it rests on."""
    recorded = await store.recorded()
    requests = await store.requests(PLACE[0], None, 10)
    approvals, admission = recorded.governance.approvals, recorded.governance.admission_of(PLACE)
    signed = {each.person for request in requests for each in request.sign_offs}
    is_approved = [each.state for each in requests] == [RequestState.approved]
    expected = {"requested"} if requests else set()
    expected |= {f"signed-{person}" for person in signed} | ({"approved"} if is_approved else set())
    assert set(acknowledged) <= expected | ({"admitted"} if admission is not None else set())
    assert len(requests) <= 1
    assert is_approved == (len(approvals) == 1) == (signed == {each.name for each in SIGNERS})
    standing = next((each for each in recorded.standings if each.key == ("release", "desk", "1.1.0")), None)
    reviewed = Review.approved if is_approved else Review.in_review if requests else Review.draft
    assert standing is None or standing.review is reviewed
    assert admission is None or (is_approved and admission.approval_id == approvals[0].id)
    assert admission is None or admission.digest == approvals[0].digest
    rollout = recorded.routes["desk"].rollout
    assert admission is not None or rollout is None  # nothing begins before it is admitted
    told = {"approval.request": len(requests), "approval.sign": len(signed), "approval.approve": len(approvals)}
    told |= {"release.admit": int(admission is not None)}
    assert +Counter(told) == await told_by(store)
    verdict = await verdict_of(store.trail, most=1_000)
    assert verdict.is_whole, verdict.findings


async def known_of(store):
    """What is recorded of the release's way, to see whether a life has brought it on."""
    recorded = await store.recorded()
    return replace(recorded, epoch=0), await store.requests(PLACE[0], None, 10)


@pytest.mark.untraced
async def test_lives_killed_between_any_two_statements_of_an_approval(place):
    """Nothing acknowledged is lost, nothing is half done, and the next life goes on from there.

    From the request over both sign-offs and the approval to the admission: each life is killed one moment later than
    the last, before a statement, before a commit or after it, and as soon as one has brought something on, the next
    begins with its first moment again. The last one comes through.
    """
    await approval_life.prepare(place.url)
    acknowledged, number, ended, count, before = [], 0, "", 0, None
    with lives() as live:
        while ended != "done":
            said, ended = live(place.url, number)
            acknowledged += said
            async with stored(place.url) as store:
                await expect_whole(store, acknowledged)
                after = await known_of(store)
            number, count, before = (0 if after != before else number + 1), count + 1, after
            assert (True, True) == (ended in ("killed", "done"), count < MOST_LIVES)
    assert count > 40
    async with stored(place.url) as store, lived(store) as (process, _):
        assert process.weight > 0


async def limit_pages(store, pages):
    """Let a store's file grow to so many pages, as a disk does; what it has already stays."""
    await store._read(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())


async def test_on_a_full_disk_a_sign_off_is_refused_and_works_once_there_is_room(tmp_path):
    """The reason is told; neither the sign-off nor its entry is there, and nothing in memory says otherwise."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    await approval_life.prepare(url)
    async with stored(url) as store, lived(store) as (process, approvals):
        await approvals.request("desk", "1.1.0", ADA, reason="better", rollback_plan="back")
        await expect_whole(store, ["requested"])
        before, size = await known_of(store), (await store.trail.head()).size
        await limit_pages(store, 1)
        long = {"role": None, "digest": None, "comment": "read it " * 10_000}
        for who in SIGNERS:
            with pytest.raises(StoreFault, match="cannot be read or written: database or disk is full"):
                await approvals.sign("desk", "1.1.0", who, **long)
        assert [()] == [each.sign_offs for each in approvals.open]
        assert (before, size) == (await known_of(store), (await store.trail.head()).size)
        await expect_whole(store, ["requested"])
        await limit_pages(store, 1_000_000)
        for who in SIGNERS:
            await approvals.sign("desk", "1.1.0", who, **long)
        said = []
        await go_on(process, approvals, said.append)
        await expect_whole(store, ["requested", "signed-eve", "signed-eng", "approved", *said])


@asynccontextmanager
async def two_gateways(url):
    """Two gateways on one store, as (store, control, approvals) each."""
    async with stored(url) as one, lived(one) as first, stored(url) as other, lived(other) as second:
        yield (one, *first), (other, *second)


async def test_two_who_come_for_the_last_sign_off_through_two_gateways_make_one_transition(postgres):
    """At the same moment, on one PostgreSQL: one approves it, and the other is told that nothing waits any more."""
    url = PostgresPlace(postgres).url
    await approval_life.prepare(url)
    eve, eng = SIGNERS
    rivals = (eng, person("joe", "engineering"))
    async with two_gateways(url) as gateways:
        (one, _, approvals), (_, other, _) = gateways
        await approvals.request("desk", "1.1.0", ADA, reason="better", rollback_plan="back")
        await approvals.sign("desk", "1.1.0", eve, role=None, digest=None, comment="")
        assert await other.live.look_again()
        came = [
            mine.sign("desk", "1.1.0", who, role=None, digest=None, comment="")
            for (_, _, mine), who in zip(gateways, rivals, strict=True)
        ]
        ends = await asyncio.gather(*came, return_exceptions=True)
        (won,) = [end for end in ends if not isinstance(end, Exception)]
        (lost,) = [end for end in ends if isinstance(end, Exception)]
        assert (RequestState.approved, True) == (won.state, "nothing is requested of desk/1.1.0" in str(lost))
        recorded = await one.recorded()
        (approval,) = recorded.governance.approvals
        (request,) = await one.requests(PLACE[0], None, 10)
        assert (request.id, RequestState.approved) == (approval.id, request.state)
        assert {"eve", won.sign_offs[-1].person} == {each.person for each in request.sign_offs}
        assert {"approval.request": 1, "approval.sign": 2, "approval.approve": 1} == await told_by(one)
        assert (await verdict_of(one.trail)).is_whole
        for _, process, _ in gateways:
            await process.live.look_again()
            assert (approval,) == process.live.state.governance.approvals


async def test_two_whose_sign_offs_are_both_needed_come_at_once_through_two_gateways(postgres):
    """Both count, whoever is recorded first, and the second one approves it."""
    url = PostgresPlace(postgres).url
    await approval_life.prepare(url)
    async with two_gateways(url) as gateways:
        (one, _, approvals), (_, other, _) = gateways
        await approvals.request("desk", "1.1.0", ADA, reason="better", rollback_plan="back")
        assert await other.live.look_again()
        came = [
            mine.sign("desk", "1.1.0", who, role=None, digest=None, comment="")
            for (_, _, mine), who in zip(gateways, SIGNERS, strict=True)
        ]
        ends = await asyncio.gather(*came)
        assert {RequestState.open, RequestState.approved} == {end.state for end in ends}
        await expect_whole(one, ["requested", "signed-eve", "signed-eng", "approved"])
