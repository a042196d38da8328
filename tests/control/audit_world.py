"""Port `AuditTrail`, in memory, over the acts that a fake store has written."""

from dataclasses import replace

from gateway.core.audit import (
    GENESIS,
    Place,
    Salted,
    Target,
    ToldEntry,
    TreeHead,
    entry_of,
    name_of_actor,
    reason_of_act,
)
from gateway.core.errors import StoreFault
from gateway.core.merkle import Edge


class Trail:
    """The trail of a store's disk; `forgotten` are names, `tamper` changes what is read."""

    def __init__(self, store) -> None:
        self.store = store
        self.forgotten = set()
        self.kept = []
        self.tamper = list

    async def head(self):
        told = self._told()
        if not told:
            return None
        edge = Edge()
        for each in told:
            edge = edge.with_leaf(bytes.fromhex(each.entry.hash))
        return TreeHead("c0ffee", edge.size, edge.root.hex(), max(self.kept, key=lambda one: one.size, default=None))

    async def entries(self, after, most):
        return [each for each in self.tamper(self._told()) if after < each.entry.seq <= after + most]

    async def hashes(self, after, most):
        return [each.entry.hash for each in await self.entries(after, most)]

    async def forget(self, name, act):
        if not any(one.actor == name for one in self.store.disk.acts):
            return 0
        self.forgotten.add(name)
        self.store.disk.acts.append(replace(act, target=Target("actor", "f" * 64)))
        return 1

    async def keep_checkpoint(self, checkpoint):
        self._reach()
        is_new = all(one.size != checkpoint.size for one in self.kept)
        self.kept += [checkpoint] * is_new
        return is_new

    async def checkpoints(self, after, most):
        return sorted((one for one in self.kept if one.size > after), key=lambda one: one.size)[:most]

    def _reach(self) -> None:
        if self.store.away:
            raise StoreFault("the disk is away")

    def _told(self):
        self._reach()
        told, prev = [], GENESIS
        for seq, act in enumerate(self.store.disk.acts, 1):
            actor, reason = Salted(b"a" * 32, name_of_actor(act)), Salted(b"r" * 32, reason_of_act(act))
            entry = entry_of(act, Place("c0ffee", seq, prev), actor.digest, reason.digest if reason.text else None)
            is_known = act.actor not in self.forgotten
            told.append(ToldEntry(entry, actor if is_known else None, reason if reason.text and is_known else None))
            prev = entry.hash
        return told
