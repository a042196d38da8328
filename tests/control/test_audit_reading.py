"""The audit trail to those who may read it."""

import json
from dataclasses import replace

import pytest

from gateway.adapters import ed25519_keys
from gateway.control.audit_reading import AT_ONCE, AuditReading, Wanted
from gateway.core.audit import AuditAct, Entry, Origin, Target
from gateway.core.audit_export import read_line
from gateway.core.checkpoint import signed_checkpoint
from gateway.core.errors import UnknownSubject, VerbRefused
from tests.control.audit_world import Trail
from tests.control.serving_world import Store

pytestmark = pytest.mark.anyio

KEY = ed25519_keys.new_key("log.test")
EXPORT = AuditAct(99.0, "ada", "audit.export", Target("audit", "trail"))


async def signed_of(trail, key=KEY):
    """Keep a checkpoint of what a trail has; give it with the key that checks it."""
    head = await trail.head()
    sign = lambda message: ed25519_keys.sign(key, message)  # noqa: E731 - as wiring joins them
    made = signed_checkpoint("log.test", head.size, head.root, key.verifier, sign)
    await trail.keep_checkpoint(made)
    return made, key.verifier


class Desk:
    """A reading of a trail of `acts`."""

    def __init__(self, *acts) -> None:
        self.store = Store()
        self.store.disk.acts += acts
        self.trail = Trail(self.store)
        self.reading = AuditReading(self.store, self.trail, ed25519_keys.verify, KEY.verifier)

    async def sign(self, key=KEY):
        """Keep a checkpoint of what there is."""
        head = await self.trail.head()
        sign = lambda message: ed25519_keys.sign(key, message)  # noqa: E731 - as wiring joins them
        made = signed_checkpoint("log.test", head.size, head.root, key.verifier, sign)
        return await self.trail.keep_checkpoint(made)

    async def seqs(self, **wanted):
        """The numbers on a page, and where it goes on."""
        page = await self.reading.page(Wanted(**wanted))
        return [entry["seq"] for entry in page["entries"]], page["next"]


def act(number, **changes):
    """An act of ada's."""
    told = {"actor": "ada", "action": "rollout.promote", "target": Target("route", f"route-{number}"), "reason": "why"}
    return AuditAct(at=float(number), **{**told, **changes})


async def test_the_newest_come_first():
    """Or from a position in order, with where to go on."""
    desk = Desk(*(act(number) for number in range(AT_ONCE + 10)))
    size = AT_ONCE + 10
    assert ([size, size - 1, size - 2], None) == await desk.seqs(limit=3)
    assert ([1, 2, 3], 3) == await desk.seqs(after=0, limit=3)
    assert ([size - 1, size], None) == await desk.seqs(after=size - 2, limit=3)
    assert ([], None) == await desk.seqs(after=size)
    assert ([], 5) == await desk.seqs(after=5, limit=0)
    whole, _ = await desk.seqs(limit=size + 5)
    assert list(range(size, 0, -1)) == whole
    page = await desk.reading.page(Wanted(limit=1))
    assert (size, "c0ffee") == (page["size"], page["chain"])
    assert ([], None) == await Desk().seqs()


async def test_entries_are_looked_for():
    """By a name or a pseudonym, an action or its beginning, a target with or without its kind, and a time."""
    desk = Desk(act(1), act(2, actor="bob", action="policy.accept"), act(3, target=Target("model", "route-1")))
    pseudonym = (await desk.reading.page(Wanted()))["entries"][1]["actor_id"]
    for wanted, expected in (
        ({"actor": "bob"}, [2]),
        ({"actor": pseudonym[:8]}, [2]),
        ({"action": "rollout"}, [3, 1]),
        ({"action": "rollout.promote"}, [3, 1]),
        ({"action": "roll"}, []),
        ({"target": "route-1"}, [3, 1]),
        ({"target": "model/route-1"}, [3]),
        ({"since": 2.0}, [3, 2]),
        ({"actor": "ada", "since": 2.0, "after": 0}, [3]),
    ):
        assert expected == (await desk.seqs(**wanted))[0], wanted


async def test_an_entry_is_told_whole():
    """With name and reason where they are not erased."""
    desk = Desk(act(1, origin=Origin("person", "operator", "token", "req-1")))
    (entry,) = (await desk.reading.page(Wanted()))["entries"]
    assert ("ada", "person", "operator", "token", "why", "req-1", "allowed") == tuple(
        entry[name] for name in ("actor", "actor_kind", "role", "auth", "reason", "request_id", "outcome")
    )
    await desk.reading.forget("ada", act(2, actor="bob", action="audit.forget"))
    by_bob, by_nobody = (await desk.reading.page(Wanted()))["entries"]
    assert (None, None, "bob") == (by_nobody["actor"], by_nobody["reason"], by_bob["actor"])


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"actor": 1, "target": 2}'])
async def test_what_pinion_did_not_write_is_shown_all_the_same(raw):
    """As far as there is anything to show."""
    desk = Desk(act(1))
    desk.trail.tamper = lambda told: [replace(each, entry=Entry(1, raw, "ff")) for each in told]
    (entry,) = (await desk.reading.page(Wanted()))["entries"]
    assert (1, "", {}, "ff") == (entry["seq"], entry["action"], entry["target"], entry["hash"])


async def test_a_check_says_what_is_wrong():
    """With the checkpoints of the store, by the key here or the one that is asked for."""
    desk = Desk(*(act(number) for number in range(4)))
    assert await desk.sign()
    desk.store.disk.acts.append(act(5))
    told = await desk.reading.verify(None)
    assert ("whole", 5, 1, str(KEY.verifier)) == tuple(
        told[name] for name in ("result", "entries", "checkpoints", "key")
    )
    other = await desk.reading.verify(ed25519_keys.new_key("log.test").verifier)
    assert ("wrong", ["unsigned"]) == (other["result"], [finding["kind"] for finding in other["findings"]])
    desk.trail.tamper = lambda told: [each for each in told if each.entry.seq != 2]
    (finding,) = (await desk.reading.verify(None))["findings"]
    assert ("missing", 2) == (finding["kind"], finding["seq"])
    nothing = await Desk().reading.verify(None)
    assert ("whole", 0) == (nothing["result"], nothing["entries"])


async def test_what_is_written_during_a_check_is_part_of_it():
    """The trail grows while it is read, and the end is looked for again."""
    desk = Desk(act(1))
    head, grown = desk.trail.head, []

    async def growing():
        if not grown:
            grown.append(1)
            desk.store.disk.acts.append(act(2))
        return await head()

    desk.trail.head = growing
    told = await desk.reading.verify(None)
    assert ("whole", 2) == (told["result"], told["entries"])


async def test_an_export_is_an_entry_of_its_own():
    """Checkpoints, entries, and the end; the export itself is the last entry."""
    desk = Desk(*(act(number) for number in range(3)))
    await desk.sign()
    text = b"".join([piece async for piece in await desk.reading.export(EXPORT)]).decode()
    checkpoint, *entries, end = [read_line(line) for line in text.splitlines()]
    assert (3, 4, 4) == (checkpoint.size, len(entries), end.size)
    assert "audit.export" == json.loads(entries[-1].entry.raw)["action"]
    assert ["ada"] * 4 == [told.actor.text for told in entries]


async def test_a_checkpoint_is_given_once_there_is_one():
    """Until then it is said how to get one."""
    desk = Desk(act(1))
    for empty in (desk, Desk()):
        with pytest.raises(UnknownSubject, match="--audit-key"):
            await empty.reading.checkpoint()
    await desk.sign()
    told = await desk.reading.checkpoint()
    assert ("log.test", 1) == (told["origin"], told["size"])
    assert told["note"].startswith("log.test\n1\n")


async def test_whom_nobody_knows_is_not_forgotten():
    """And neither is what Pinion does by itself."""
    desk = Desk(act(1))
    with pytest.raises(UnknownSubject, match="nobody of the name 'eve'"):
        await desk.reading.forget("eve", act(2))
    for name in ("gateway", "policy"):
        with pytest.raises(VerbRefused, match="is no person"):
            await desk.reading.forget(name, act(2))
    assert {"forgotten": True} == await desk.reading.forget("ada", act(2, actor="bob"))
