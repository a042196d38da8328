"""Whether an audit trail is whole: what was changed, taken out, put in twice, forked or cut off, and where.

Entries come in order, one after the other. What is kept of each is eight bytes, so that a million of them take 8 MB.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from gateway.core.audit import GENESIS, Entry, ToldEntry
from gateway.core.checkpoint import Checkpoint, VerifierKey, Verify, is_signed_by, read_note
from gateway.core.merkle import Edge, leaf_hash

Kind = Literal["modified", "missing", "duplicated", "forked", "truncated", "unsigned"]

MOST_FINDINGS = 100
"""How many findings are told one by one; the others are counted."""

LONGEST_GAP = 1 << 24
"""How many missing entries in a row are kept account of; beyond, a copy of an entry may be taken for a fork."""

REMEDIES: dict[Kind, str] = {
    "modified": "compare with an export or a backup from before, and find out who can write to the database",
    "missing": "restore the entries from an export or a backup; what they told is not known until then",
    "duplicated": "delete the second one, and find out who can write to the database",
    "forked": "two writers were on one chain: keep both branches as evidence, and let one store have one database",
    "truncated": "restore the end of the trail from an export or a backup; the checkpoint proves that it was there",
    "unsigned": "check that it is the verifier key of this log; else somebody else made the checkpoint",
}
"""What to do about each kind of finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its kind, the number of the entry that it is at, and what it is in words."""

    kind: Kind
    seq: int
    message: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.kind]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check has come to: how many entries it saw, their root, how many checkpoints held, what it found.

    `count` is the number of all findings, of which the first are told.
    """

    entries: int
    root: str
    checkpoints: int
    findings: tuple[Finding, ...]
    count: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.count == 0


@dataclass(frozen=True, slots=True)
class _Read:
    """What an entry's bytes say of its place."""

    chain: str
    seq: int
    prev: str
    actor: str
    reason: str | None


@dataclass(slots=True)
class _State:
    """How far a check has come. `known` is a prefix of each entry's hash, by its number; 0 where there is none."""

    seq: int = 0
    chain: str | None = None
    heads: set[str] = field(default_factory=lambda: {GENESIS})
    edge: Edge = field(default_factory=Edge)
    known: "array[int]" = field(default_factory=lambda: array("Q"))
    held: int = 0
    count: int = 0
    findings: list[Finding] = field(default_factory=list)


class Check:
    """Checks a trail: `take` its entries in order, then `end`."""

    def __init__(
        self, checkpoints: Sequence[Checkpoint] = (), key: VerifierKey | None = None, verify: Verify | None = None
    ) -> None:
        """`checkpoints` are those known of the trail; with a `key` each must be signed by it, as `verify` says."""
        self._state = _State()
        self._due: list[Checkpoint] = []
        for checkpoint in sorted(checkpoints, key=lambda each: each.size):
            self._admit(checkpoint, key, verify)
        self._due.reverse()

    def __repr__(self) -> str:
        return f"<Check {self._state.seq} entries, {self._state.count} findings>"

    def take(self, told: Iterable[ToldEntry]) -> None:
        """Check more entries, which follow those before."""
        for each in told:
            self._take(each)

    def end(self, size: int, root: str | None) -> Verdict:
        """End: the trail should have `size` entries with this Merkle root in hexadecimal digits, where it is known."""
        state = self._state
        gone = max([size, *(checkpoint.size for checkpoint in self._due)])
        if gone > state.seq:
            self._find("truncated", state.seq + 1, f"{_entries(state.seq + 1, gone)} cut off the end")
        elif root is not None and state.count == 0 and size == state.seq and root != state.edge.root.hex():
            self._find("modified", state.seq, "the entries are consistent, and are not those that the tree was made of")
        return Verdict(state.seq, state.edge.root.hex(), state.held, tuple(state.findings), state.count)

    def cut_off(self) -> Verdict:
        """End where nothing says how long the trail should be: an export that was not given to its end."""
        seq = self._state.seq
        self._find("truncated", seq + 1, "the export ends without its last line; export again")
        return self.end(0, None)

    def _admit(self, checkpoint: Checkpoint, key: VerifierKey | None, verify: Verify | None) -> None:
        """Take a checkpoint to compare with, by what its note says, where its signature is good."""
        try:
            read, _ = read_note(checkpoint.note)
        except ValueError as error:
            self._find("unsigned", checkpoint.size, f"the checkpoint of {checkpoint.size} entries is none: {error}")
            return
        if key is not None and verify is not None and not is_signed_by(checkpoint.note, key, verify):
            self._find("unsigned", read.size, f"the checkpoint of {read.size} entries is not signed by {key.name}")
            return
        if read.size > 0:
            self._due.append(read)

    def _take(self, told: ToldEntry) -> None:
        entry, state = told.entry, self._state
        hashed = leaf_hash(entry.raw)
        read = _read(entry.raw)
        if read is None or hashed.hex() != entry.hash or read.seq != entry.seq:
            self._take_altered(entry, hashed, read)
            return
        if state.chain not in (None, read.chain):
            self._find("modified", entry.seq, f"entry {entry.seq} is of another trail, {read.chain}")
            return
        state.chain = read.chain
        if entry.seq <= state.seq:
            self._take_again(entry)
            return
        if entry.seq > state.seq + 1:
            self._skip_to(entry.seq)
        elif read.prev not in state.heads:
            before = entry.seq - 1
            said = f"entry {before} is not the one that entry {entry.seq} was written after"
            self._find("modified", before, said if before else "the first entry names one before it")
        self._advance(entry.seq, hashed)
        self._check_words(told, read)

    def _take_altered(self, entry: Entry, hashed: bytes, read: _Read | None) -> None:
        """An entry whose bytes, hash and number do not fit: a copy of another, or one that was changed in place."""
        state = self._state
        if read is not None and hashed.hex() == entry.hash and self._was(read.seq, hashed):
            self._find("duplicated", entry.seq, f"entry {read.seq} is there once more, at {entry.seq}")
        else:
            self._find("modified", entry.seq, f"the bytes of entry {entry.seq} are not those that were hashed")
        if entry.seq > state.seq:
            if entry.seq > state.seq + 1:
                self._skip_to(entry.seq)
            self._advance(entry.seq, hashed)
            state.heads = {entry.hash, hashed.hex()}  # what follows was written after the one that was here

    def _take_again(self, entry: Entry) -> None:
        """A second entry of a number: the same, or another one."""
        if self._was(entry.seq, bytes.fromhex(entry.hash)):
            self._find("duplicated", entry.seq, f"entry {entry.seq} is there twice")
            return
        self._find("forked", entry.seq, f"entry {entry.seq} is there in two versions, both after one entry")
        if entry.seq == self._state.seq:
            self._state.heads.add(entry.hash)

    def _skip_to(self, seq: int) -> None:
        state = self._state
        self._find("missing", state.seq + 1, f"{_entries(state.seq + 1, seq - 1)} missing")
        state.known.extend([0] * min(seq - 1 - len(state.known), LONGEST_GAP))

    def _advance(self, seq: int, hashed: bytes) -> None:
        state = self._state
        state.seq, state.heads = seq, {hashed.hex()}
        state.edge = state.edge.with_leaf(hashed)
        state.known.append(int.from_bytes(hashed[:8], "big"))
        while self._due and self._due[-1].size <= seq:
            checkpoint = self._due.pop()
            if checkpoint.size == state.edge.size == seq and checkpoint.root == state.edge.root.hex():
                state.held += 1
            elif state.count == 0:
                said = f"the first {checkpoint.size} entries are not those that were signed at that size"
                self._find("modified", checkpoint.size, said)

    def _check_words(self, told: ToldEntry, read: _Read) -> None:
        """A name or a reason that is not erased is the one that the entry has as a digest."""
        for what, salted, digest in (("actor", told.actor, read.actor), ("reason", told.reason, read.reason)):
            if salted is not None and salted.digest != digest:
                self._find("modified", read.seq, f"the {what} of entry {read.seq} is not the one that was recorded")

    def _was(self, seq: int, hashed: bytes) -> bool:
        known = self._state.known
        return 0 < seq <= len(known) and known[seq - 1] == int.from_bytes(hashed[:8], "big")

    def _find(self, kind: Kind, seq: int, message: str) -> None:
        state = self._state
        state.count += 1
        if len(state.findings) < MOST_FINDINGS:
            state.findings.append(Finding(kind, seq, message))


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _read(raw: bytes) -> _Read | None:
    """Read what an entry says of its place; None where it is no entry."""
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    match value:
        case {
            "chain": str(chain),
            "seq": int(seq),
            "prev": str(prev),
            "actor": {"id": str(actor)},
            "reason": None | str() as reason,
        }:
            return _Read(chain, seq, prev, actor, reason)
    return None
