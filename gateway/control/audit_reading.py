"""The audit trail to those who may read it: pages, a check, an export, and forgetting a person."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.control.audit_proofs import AuditProofs
from gateway.core.audit import AuditAct, ToldEntry, TreeHead, moment_text
from gateway.core.audit_check import Check, Verdict
from gateway.core.audit_export import line_of
from gateway.core.audit_proof import describe_checkpoint
from gateway.core.checkpoint import Checkpoint, VerifierKey, Verify
from gateway.core.errors import UnknownSubject, VerbRefused
from gateway.core.ports import Store
from gateway.core.route_record import GATEWAY, POLICY
from gateway.core.trail_ports import AuditTrail

AT_ONCE = 500
"""How many entries are read at once: some milliseconds of the store's thread."""

MOST_SCANNED = 100_000
"""Among how many entries those that are asked for are looked for at a time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for: at most `limit`, after a number in order, or without one the newest first.

    `actor` is a name or the beginning of a pseudonym, `action` a whole one or what is before a dot, `target` an id or
    a kind with an id, as in `route/support`; `since` is in wall seconds.
    """

    after: int | None = None
    limit: int = 100
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: float | None = None


class AuditReading:
    """Reads the trail of a store. Every method may raise StoreFault."""

    def __init__(self, store: Store, trail: AuditTrail, verify: Verify, key: VerifierKey | None = None) -> None:
        """`key` checks the checkpoints that are signed here, where there is one."""
        self.proofs = AuditProofs(trail)
        self._store = store
        self._trail = trail
        self._verify = verify
        self._key = key

    async def page(self, wanted: Wanted) -> dict[str, Any]:
        """Give entries as JSON; `next` is the number to go on after, where there may be more."""
        head = await self._trail.head()
        size = 0 if head is None else head.size
        found: list[dict[str, Any]] = []
        place, scanned, is_over = size if wanted.after is None else wanted.after, 0, False
        while len(found) < wanted.limit and scanned < MOST_SCANNED and not is_over:
            told, place, is_over = await self._some(place, is_newest_first=wanted.after is None)
            fitting = await asyncio.to_thread(_fitting, told, wanted)
            room, scanned = wanted.limit - len(found), scanned + AT_ONCE
            found += fitting[:room]
            if len(fitting) > room:
                place, is_over = found[-1]["seq"], False
        going_on = None if is_over or wanted.after is None else place
        return {"size": size, "chain": None if head is None else head.chain, "entries": found, "next": going_on}

    async def _some(self, place: int, *, is_newest_first: bool) -> tuple[Sequence[ToldEntry], int, bool]:
        """Give entries after a number, or those up to it with the newest first; where to go on, and if all is given."""
        if not is_newest_first:
            told = await self._trail.entries(place, AT_ONCE)
            return told, told[-1].entry.seq if told else place, not told
        start = max(0, place - AT_ONCE)
        told = await self._trail.entries(start, place - start) if place else ()
        return [each for each in reversed(told) if each.entry.seq <= place], start, start == 0

    async def verify(self, key: VerifierKey | None) -> dict[str, Any]:
        """Check the whole trail beside the serving loop, in pieces; checkpoints by a key, or by the one here."""
        by = key or self._key
        check = Check([each async for each in self._checkpoints()], by, self._verify)
        head: TreeHead | None = None
        async for piece in self._pieces():
            match piece:
                case TreeHead():
                    head = piece
                case _:
                    await asyncio.to_thread(check.take, piece)
        verdict = check.end(0, None) if head is None else check.end(head.size, head.root)
        return {**describe_verdict(verdict), "key": None if by is None else str(by)}

    async def export(self, act: AuditAct) -> AsyncIterator[bytes]:
        """Write that there is an export, then give it as JSON lines, some at a time."""
        await self._store.audit([act])
        return self._lines()

    async def checkpoint(self) -> dict[str, Any]:
        """Give the latest signed checkpoint.

        Raises:
            UnknownSubject: there is none yet.
        """
        head = await self._trail.head()
        if head is None or head.checkpoint is None:
            raise UnknownSubject("no checkpoint is signed yet; start the gateway with --audit-key")
        return describe_checkpoint(head.checkpoint)

    async def forget(self, name: str, act: AuditAct) -> dict[str, Any]:
        """Erase a person's name and words.

        Raises:
            UnknownSubject: nobody of that name is known.
            VerbRefused: the name is Pinion's own.
        """
        if name in (GATEWAY, POLICY):
            raise VerbRefused(f"{name} is no person: what Pinion does by itself stays told")
        if not await self._trail.forget(name, act):
            raise UnknownSubject(f"nobody of the name {name[:100]!r} is in the audit trail, or they are forgotten")
        return {"forgotten": True}

    async def _lines(self) -> AsyncIterator[bytes]:
        async for checkpoint in self._checkpoints():
            yield line_of(checkpoint).encode()
        async for piece in self._pieces():
            told = [piece] if isinstance(piece, TreeHead) else piece
            yield (await asyncio.to_thread(_written, told)).encode()

    async def _checkpoints(self) -> AsyncIterator[Checkpoint]:
        after = 0
        while found := await self._trail.checkpoints(after, AT_ONCE):
            for each in found:
                yield each
            after = found[-1].size

    async def _pieces(self) -> AsyncIterator[Sequence[ToldEntry] | TreeHead]:
        """Give all entries, and at last how far the chain has come; what is written meanwhile is among them."""
        after = 0
        while True:
            while found := await self._trail.entries(after, AT_ONCE):
                yield found
                after = max(found[-1].entry.seq, after + 1)
            head = await self._trail.head()
            if head is None:
                return
            if head.size <= after or not await self._trail.entries(after, 1):
                yield head
                return


def describe_verdict(verdict: Verdict) -> dict[str, Any]:
    """Tell a verdict as JSON."""
    return {
        "result": "whole" if verdict.is_whole else "wrong",
        "entries": verdict.entries,
        "root": verdict.root,
        "checkpoints": verdict.checkpoints,
        "count": verdict.count,
        "findings": [
            {"kind": each.kind, "seq": each.seq, "message": each.message, "remedy": each.remedy}
            for each in verdict.findings
        ],
    }


def _written(told: Iterable[ToldEntry | TreeHead]) -> str:
    return "".join(map(line_of, told))


def _fitting(told: Iterable[ToldEntry], wanted: Wanted) -> list[dict[str, Any]]:
    since = None if wanted.since is None else moment_text(wanted.since)
    return [each for each in map(_described, told) if _fits(each, wanted, since)]


def _fits(entry: Mapping[str, Any], wanted: Wanted, since: str | None) -> bool:
    target = entry["target"]
    named = (target.get("id"), f"{target.get('kind')}/{target.get('id')}")
    return (
        (wanted.actor is None or entry["actor"] == wanted.actor or entry["actor_id"].startswith(wanted.actor))
        and (wanted.action is None or f"{entry['action']}.".startswith(f"{wanted.action}."))
        and (wanted.target is None or wanted.target in named)
        and (since is None or entry["ts"] >= since)
    )


def _described(told: ToldEntry) -> dict[str, Any]:
    """Tell an entry with its name and its reason; of bytes that Pinion did not write, what there is."""
    try:
        value = orjson.loads(told.entry.raw)
    except ValueError:
        value = {}
    value = value if isinstance(value, dict) else {}
    actor = value.get("actor") if isinstance(value.get("actor"), dict) else {}
    target = value.get("target") if isinstance(value.get("target"), dict) else {}
    same = ("outcome", "request_id", "policy_revision", "before_digest", "after_digest")
    return {
        "seq": told.entry.seq,
        "ts": str(value.get("ts", "")),
        "actor": None if told.actor is None else told.actor.text,
        "actor_id": str((actor or {}).get("id", "")),
        "actor_kind": (actor or {}).get("kind"),
        "role": (actor or {}).get("role_used"),
        "auth": (actor or {}).get("auth"),
        "action": str(value.get("action", "")),
        "target": target or {},
        **{name: value.get(name) for name in same},
        "reason": None if told.reason is None else told.reason.text,
        "details": value.get("details", {}),
        "hash": told.entry.hash,
    }
