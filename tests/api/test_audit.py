"""The operations API of the audit trail, and what the other paths leave in it."""

import pytest

from gateway.adapters.ed25519_keys import verify
from gateway.core.audit import Target
from gateway.core.audit_export import read_line
from gateway.core.audit_proof import read_proof
from gateway.core.checkpoint import Checkpoint
from gateway.core.merkle import proves_consistency
from tests.api.office import TOKEN, office, said
from tests.api.test_openapi import document, fits
from tests.control.serving_world import ADA
from tests.control.test_audit_reading import signed_of

pytestmark = pytest.mark.anyio

PATH = "/admin/v1/audit"


async def test_who_did_what_is_told():
    """A person's verb with how they came and the policy set, the newest first."""
    async with office(TOKEN) as desk:
        bearer = {"authorization": f"Bearer {TOKEN}"}
        await desk.act(
            "/admin/v1/rollouts/desk/promote", {"reason": "it looks well"}, **bearer, **{"x-request-id": "ticket-17"}
        )
        page = (await desk.get(f"{PATH}?action=rollout&limit=2", **bearer)).json()
        promote, start = page["entries"]
        assert ("operator", "service", "admin_token", "it looks well", "ticket-17") == tuple(
            promote[name] for name in ("actor", "actor_kind", "auth", "reason", "request_id")
        )
        assert ("policy", "rollout.start") == (start["actor_kind"], start["action"])
        assert desk.process.serving.policies.revision == promote["policy_revision"] == start["policy_revision"]
        assert start["after_digest"] == promote["before_digest"] != promote["after_digest"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>"])
async def test_a_request_id_that_could_say_anything_is_not_kept(given):
    """It would stay in the trail for good."""
    async with office() as desk:
        await desk.act("/admin/v1/rollouts/desk/pause", **{"x-request-id": given})
        (entry,) = (await desk.get(f"{PATH}?action=rollout.pause")).json()["entries"]
        assert (None, "local") == (entry["request_id"], entry["auth"])


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=-1", "after=99999999999999999999", "limit=1001", "limit=\u0661", "since=x", "since=inf"],
)
async def test_a_query_that_means_nothing_is_refused(query):
    """With what it takes."""
    async with office() as desk:
        answer = await desk.get(f"{PATH}?{query}")
        assert 400 == answer.status_code
        assert f"{query.partition('=')[0]}= is " in said(answer)


async def test_a_time_is_in_seconds():
    """Entries from then on; of the future there are none."""
    async with office() as desk:
        assert (await desk.get(f"{PATH}?since=0.5")).json()["entries"]
        assert [] == (await desk.get(f"{PATH}?since=99999999999")).json()["entries"]


async def test_a_denial_is_noted():
    """What was asked for by its form, a route by its name where there is one, and no word of whoever asked."""
    async with office(TOKEN) as desk:
        for path in ("/admin/v1/rollouts/desk/rollback", "/admin/v1/rollouts/my-own-words/rollback"):
            assert 401 == (await desk.act(path)).status_code
        known, unknown = desk.noted
        target = Target("operation", "POST /admin/v1/rollouts/{route}/rollback")
        assert ("access.denied", "unknown", "denied", target) == (
            known.action,
            known.actor,
            known.outcome,
            known.target,
        )
        assert [{"status": "401", "route": "desk"}, {"status": "401"}] == [known.details, unknown.details]
        assert "my-own-words" not in repr(unknown)
        assert 415 == (await desk.act(f"{PATH}/forget", **{"content-type": "text/plain"})).status_code
        assert 2 == len(desk.noted)
    async with office() as desk:
        assert 403 == (await desk.get(PATH, host="elsewhere.example")).status_code
        (denied,) = desk.noted
        assert {"status": "403"} == denied.details


async def test_the_trail_is_checked():
    """Whole, or with what is wrong; a key that is none is refused."""
    async with office() as desk:
        told = (await desk.get(f"{PATH}/verify")).json()
        assert ("whole", 0, None) == (told["result"], told["count"], told["key"])
        desk.trail.tamper = lambda entries: entries[1:]
        told = (await desk.get(f"{PATH}/verify")).json()
        assert ("wrong", "missing", 1) == (told["result"], told["findings"][0]["kind"], told["findings"][0]["seq"])
        assert 400 == (await desk.get(f"{PATH}/verify?key=nonsense")).status_code


async def test_an_export_is_lines_and_an_entry():
    """Written first: while the store is away nothing is given."""
    async with office() as desk:
        answer = await desk.get(f"{PATH}/export")
        assert "application/x-ndjson" == answer.headers["content-type"]
        *entries, end = [read_line(line) for line in answer.text.splitlines()]
        assert end.size == len(entries) == len(desk.process.store.disk.acts)
        (act,) = [act for act in desk.process.store.disk.acts if act.action == "audit.export"]
        assert "local" == act.actor
        desk.process.store.away = True
        assert 503 == (await desk.get(f"{PATH}/export")).status_code


async def test_a_checkpoint_that_is_not_there():
    """A 404 that says how to get one."""
    async with office() as desk:
        answer = await desk.get(f"{PATH}/checkpoint")
        assert (404, True) == (answer.status_code, "--audit-key" in said(answer))


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "name and reason"),
        ({"name": "ada"}, 400, "name and reason"),
        ({"name": "ada", "reason": "asked to", "more": 1}, 400, "unknown field"),
        ({"name": 7, "reason": "asked to"}, 400, "must be a text"),
        ({"name": "eve", "reason": "asked to"}, 404, "nobody of the name"),
        ({"name": "gateway", "reason": "asked to"}, 409, "is no person"),
    ],
)
async def test_what_cannot_be_forgotten(body, status, message):
    """It says why."""
    async with office() as desk:
        answer = await desk.act(f"{PATH}/forget", body)
        assert status == answer.status_code
        assert message in said(answer)


async def test_a_person_is_forgotten():
    """And who had it done, and why, is told."""
    async with office() as desk:
        await desk.process.rollouts.pause("desk", ADA)
        assert {"forgotten": True} == (await desk.act(f"{PATH}/forget", {"name": "ada", "reason": "asked to"})).json()
        act = desk.process.store.disk.acts[-1]
        assert ("audit.forget", "local", "asked to") == (act.action, act.actor, act.reason)
        assert [] == (await desk.get(f"{PATH}?actor=ada")).json()["entries"]


async def test_every_path_of_the_trail_is_described():
    """With what each may answer."""
    described = document()["paths"]
    assert 7 == sum(path.startswith(PATH) for path in described)


async def test_the_latest_checkpoint_is_given():
    """As anchors get it."""
    async with office() as desk:
        made = Checkpoint("log.test", 1, "ab" * 32, "log.test\n1\n...\n")
        await desk.trail.keep_checkpoint(made)
        told = (await desk.get(f"{PATH}/checkpoint")).json()
        assert {"origin": "log.test", "size": 1, "root": "ab" * 32, "note": made.note} == told


async def test_an_entry_is_proved_by_a_checkpoint():
    """Checked by nothing but the answer and the key."""
    async with office() as desk:
        made, key = await signed_of(desk.trail)
        answer = await desk.get(f"{PATH}/proof?seq=1")
        proof = read_proof(fits(answer, f"{PATH}/proof"))
        assert (None, made.size) == (proof.why_not(key, verify), proof.checkpoint.size)
        assert answer.json() == (await desk.get(f"{PATH}/proof?seq=1&size={made.size}")).json()


async def test_a_checkpoint_is_proved_the_continuation_of_an_earlier_one():
    """By their roots, which whoever kept the earlier one has."""
    async with office() as desk:
        first, _ = await signed_of(desk.trail)
        await desk.process.rollouts.pause("desk", ADA)
        second, _ = await signed_of(desk.trail)
        told = fits(await desk.get(f"{PATH}/consistency?first={first.size}"), f"{PATH}/consistency")
        assert (first.note, second.note) == (told["first"]["checkpoint"]["note"], told["second"]["checkpoint"]["note"])
        sides = [(each.size, bytes.fromhex(each.root)) for each in (first, second)]
        assert proves_consistency(*sides, [bytes.fromhex(each) for each in told["proof"]])
        assert (await desk.get(f"{PATH}/consistency?first=1")).json()["first"]["checkpoint"] is None


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("proof", 400, "seq= is a whole number"),
        ("proof?seq=0", 404, "entry 0 is not among"),
        ("proof?seq=1&size=999", 404, "no checkpoint of 999 entries is signed"),
        ("consistency", 400, "first= is a whole number"),
        ("consistency?first=0", 404, "1 <= first <= second"),
        ("consistency?first=1&second=999", 404, "1 <= first <= second"),
    ],
)
async def test_what_cannot_be_proved(query, status, message):
    """It says why."""
    async with office() as desk:
        await signed_of(desk.trail)
        answer = await desk.get(f"{PATH}/{query}")
        assert (status, True) == (answer.status_code, message in said(answer)), answer.text


async def test_of_a_trail_with_a_hole_nothing_is_proved():
    """A conflict, which says where to look."""
    async with office() as desk:
        made, _ = await signed_of(desk.trail)
        desk.trail.tamper = lambda entries: entries[1:]
        for query in ("proof?seq=1", f"consistency?first=1&second={made.size}"):
            answer = await desk.get(f"{PATH}/{query}")
            assert (409, True) == (answer.status_code, "pinion audit verify" in said(answer))


async def test_without_a_checkpoint_nothing_is_proved():
    """A 404 that says how to get one."""
    async with office() as desk:
        answer = await desk.get(f"{PATH}/proof?seq=1")
        assert (404, True) == (answer.status_code, "--audit-key" in said(answer))
