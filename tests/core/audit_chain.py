"""A short audit trail, made by the rules alone, and the ways in which somebody may tamper with it."""

from dataclasses import replace

from gateway.core.audit import GENESIS, AuditAct, Entry, Place, Salted, Target, ToldEntry, entry_of
from gateway.core.merkle import Edge, leaf_hash

ADA = Salted(b"s" * 32, "ada")
WHY = Salted(b"t" * 32, "because")


def chain(length, prev=GENESIS, first=1, action="rollout.promote"):
    """So many entries in order."""
    made = []
    for seq in range(first, first + length):
        act = AuditAct(float(seq), "ada", action, Target("route", f"route-{seq}"))
        entry = entry_of(act, Place("c0ffee", seq, prev), ADA.digest, WHY.digest)
        made.append(ToldEntry(entry, ADA, WHY))
        prev = entry.hash
    return made


def edge_of(told):
    """The edge of the tree over entries."""
    edge = Edge()
    for each in told:
        edge = edge.with_leaf(bytes.fromhex(each.entry.hash))
    return edge


def altered(told, *, rehashed=False):
    """An entry that says something else, perhaps with the hash that fits."""
    raw = told.entry.raw.replace(b"rollout.promote", b"rollout.explode")
    hashed = leaf_hash(raw).hex() if rehashed else told.entry.hash
    return replace(told, entry=Entry(told.entry.seq, raw, hashed))
