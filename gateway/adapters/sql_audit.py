"""The audit trail, in the tables of the store.

The law: entries are appended in the transaction of what they tell, after its first statement has made every other
writer wait. One writer at a time knows what the last entry is; of two that follow one the database refuses the second.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import orjson
from sqlalchemy import Connection, RowMapping, func, select

from gateway.adapters import sql_epoch
from gateway.adapters.sql_engine import insert_if_new, insert_or_replace
from gateway.adapters.sql_schema import (
    audit_actors,
    audit_checkpoints,
    audit_entries,
    audit_texts,
    audit_tree,
    rollout_events,
    rollouts,
    routes,
)
from gateway.core.audit import (
    GENESIS,
    SALT_BYTES,
    AuditAct,
    Entry,
    Place,
    Salted,
    Target,
    ToldEntry,
    TreeHead,
    entry_of,
    moment_text,
    name_of_actor,
    reason_of_act,
)
from gateway.core.checkpoint import Checkpoint
from gateway.core.merkle import Edge
from gateway.core.rollout import RolloutState

Answer = TypeVar("Answer")

FORGOTTEN = "forgotten"
"""Stands where an erased name or reason was."""


class Runner(Protocol):
    """How a store acts within one transaction, in its own thread."""

    def __call__(self, act: Callable[[Connection], Answer]) -> Awaitable[Answer]:
        """Act, and give what the act gives."""
        ...


def append(connection: Connection, acts: Iterable[AuditAct]) -> None:
    """Append an entry for each act; every other writer waits already."""
    told = list(acts)
    if not told:
        return
    chain, last, edge = _tip(connection)
    names = {name_of_actor(act) for act in told}
    pseudonyms = _pseudonyms(connection, names)
    entry_rows: list[dict[str, Any]] = []
    text_rows: list[dict[str, Any]] = []
    for act in told:
        place = Place(chain, edge.size + 1, last)
        actor, reason = pseudonyms[name_of_actor(act)], reason_of_act(act)
        salted = Salted(secrets.token_bytes(SALT_BYTES), reason) if reason else None
        entry = entry_of(act, place, actor, None if salted is None else salted.digest)
        entry_rows.append(_entry_row(entry, place, moment_text(act.at)))
        if salted is not None:
            text_rows.append({"seq": entry.seq, "actor": actor, "salt": salted.salt, "text": salted.text})
        last, edge = entry.hash, edge.with_leaf(bytes.fromhex(entry.hash))
    connection.execute(audit_entries.insert(), entry_rows)
    if text_rows:
        connection.execute(audit_texts.insert(), text_rows)
    tree = {"chain": chain, "size": edge.size, "hash": last, "edge": [root.hex() for root in edge.roots]}
    connection.execute(insert_or_replace(audit_tree), [tree])


def _tip(connection: Connection) -> tuple[str, str, Edge]:
    """Give the chain's name, the hash of its last entry, and the edge of its tree; a new chain has a new name."""
    row = connection.execute(select(audit_tree)).mappings().one_or_none()
    if row is None:
        return secrets.token_hex(8), GENESIS, Edge()
    return row["chain"], row["hash"], _edge(row)


def _edge(row: RowMapping) -> Edge:
    return Edge(row["size"], tuple(map(bytes.fromhex, row["edge"])))


def _entry_row(entry: Entry, place: Place, moment: str) -> dict[str, Any]:
    written = {"chain": place.chain, "seq": entry.seq, "ts": moment, "bytes": entry.raw}
    return {**written, "hash": entry.hash, "prev": place.prev}


def _pseudonyms(connection: Connection, names: set[str]) -> dict[str, str]:
    """Give each name the pseudonym that it has, or a new one."""
    asked = select(audit_actors.c.name, audit_actors.c.id).where(audit_actors.c.name.in_(names))
    known = {row.name: row.id for row in connection.execute(asked)}
    new = {name: Salted(secrets.token_bytes(SALT_BYTES), name) for name in sorted(names - known.keys())}
    if new:
        rows = [{"id": salted.digest, "name": name, "salt": salted.salt} for name, salted in new.items()]
        connection.execute(audit_actors.insert(), rows)
    return known | {name: salted.digest for name, salted in new.items()}


class SqlAuditTrail:
    """The port `AuditTrail`, in the transactions of the store that it belongs to."""

    def __init__(self, read: Runner, add: Runner) -> None:
        """`read` sees one state throughout; `add` makes other writers wait."""
        self._read = read
        self._add = add

    async def head(self) -> TreeHead | None:
        """Give how far the chain has come, with its latest checkpoint; None before its first entry."""
        return await self._read(_head)

    async def entries(self, after: int, most: int) -> Sequence[ToldEntry]:
        """Give the entries of at most `most` numbers after one, in order; none where the trail ends.

        Of a number that several rows have, all are given: that is for a check to find.
        """
        return await self._read(lambda connection: _entries(connection, after, most))

    async def hashes(self, after: int, most: int) -> Sequence[str]:
        """Give the hashes of the entries of at most `most` numbers after one, in order."""
        seq = audit_entries.c.seq
        asked = select(audit_entries.c.hash).where(seq > after, seq <= after + most).order_by(seq)
        return await self._read(lambda connection: tuple(connection.execute(asked).scalars()))

    async def forget(self, name: str, act: AuditAct) -> int:
        """Erase a person's name and words, and write that it was done; give how many pseudonyms they had, perhaps 0."""
        return await self._add(lambda connection: _forget(connection, name, act))

    async def keep_checkpoint(self, checkpoint: Checkpoint) -> bool:
        """Keep a signed checkpoint; say whether there was none of its size."""
        row = {"size": checkpoint.size, "origin": checkpoint.origin, "root": checkpoint.root, "note": checkpoint.note}

        def keep(connection: Connection) -> bool:
            size = audit_checkpoints.c.size == checkpoint.size
            is_new = connection.execute(select(audit_checkpoints.c.size).where(size)).one_or_none() is None
            connection.execute(insert_if_new(audit_checkpoints), [row])
            return is_new

        return await self._add(keep)

    async def checkpoints(self, after: int, most: int) -> Sequence[Checkpoint]:
        """Give at most `most` checkpoints of a size beyond `after`, by size."""
        size = audit_checkpoints.c.size
        asked = select(audit_checkpoints).where(size > after).order_by(size).limit(most)
        return await self._read(lambda connection: tuple(map(_checkpoint, connection.execute(asked).mappings())))


def _head(connection: Connection) -> TreeHead | None:
    row = connection.execute(select(audit_tree)).mappings().one_or_none()
    if row is None:
        return None
    newest = select(audit_checkpoints).order_by(audit_checkpoints.c.size.desc()).limit(1)
    found = connection.execute(newest).mappings().one_or_none()
    checkpoint = None if found is None else _checkpoint(found)
    return TreeHead(row["chain"], row["size"], _edge(row).root.hex(), checkpoint)


def _checkpoint(row: RowMapping) -> Checkpoint:
    return Checkpoint(row["origin"], row["size"], row["root"], row["note"])


def _entries(connection: Connection, after: int, most: int) -> tuple[ToldEntry, ...]:
    seq = audit_entries.c.seq
    first = connection.execute(select(func.min(seq)).where(seq > after)).scalar_one()
    if first is None:
        return ()
    within = select(audit_entries).where(seq >= first, seq < first + most).order_by(seq, audit_entries.c.id)
    entries = [Entry(row["seq"], row["bytes"], row["hash"]) for row in connection.execute(within).mappings()]
    asked = select(audit_texts).where(audit_texts.c.seq >= first, audit_texts.c.seq < first + most)
    texts = {row.seq: Salted(row.salt, row.text) for row in connection.execute(asked)}
    pseudonyms = [pseudonym_in(entry.raw) for entry in entries]
    known = select(audit_actors).where(audit_actors.c.id.in_({found for found in pseudonyms if found is not None}))
    names = {row.id: Salted(row.salt, row.name) for row in connection.execute(known)}
    return tuple(
        ToldEntry(entry, names.get(pseudonym or ""), texts.get(entry.seq))
        for entry, pseudonym in zip(entries, pseudonyms, strict=True)
    )


def pseudonym_in(raw: bytes) -> str | None:
    """Give the pseudonym in an entry's bytes, or None where they are not what Pinion wrote."""
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    match value:
        case {"actor": {"id": str(pseudonym)}}:
            return pseudonym
    return None


def _forget(connection: Connection, name: str, act: AuditAct) -> int:
    """Erase whose a pseudonym was, what they wrote, and both where rollouts tell them; then write that it was done."""
    found = list(connection.execute(select(audit_actors.c.id).where(audit_actors.c.name == name)).scalars())
    if not found:
        return 0
    sql_epoch.raised(connection)
    texts = connection.execute(audit_texts.delete().where(audit_texts.c.actor.in_(found))).rowcount
    connection.execute(audit_actors.delete().where(audit_actors.c.id.in_(found)))
    _forget_reasons_out(connection, name)
    erased = {"actor": FORGOTTEN, "reason": FORGOTTEN}
    told = connection.execute(rollout_events.update().where(rollout_events.c.actor == name).values(erased)).rowcount
    connection.execute(rollouts.update().where(rollouts.c.actor == name).values(erased))
    details: Mapping[str, str] = {"texts": str(texts), "rollout_events": str(told)}
    append(connection, [replace(act, target=Target("actor", found[0]), details=details)])
    return len(found)


def _forget_reasons_out(connection: Connection, name: str) -> None:
    """A route says why a version is out, in the words of who rolled it back."""
    theirs = select(rollouts.c.route, rollouts.c.candidate).where(
        rollouts.c.actor == name, rollouts.c.state == RolloutState.rolled_back.value
    )
    for route, candidate in connection.execute(theirs).all():
        out = connection.execute(select(routes.c.out).where(routes.c.name == route)).scalar_one()
        if candidate in out:
            changed = {**out, candidate: f"rolled back: {FORGOTTEN}"}
            connection.execute(routes.update().where(routes.c.name == route).values(out=changed))
