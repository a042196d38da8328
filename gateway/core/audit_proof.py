"""A proof that an entry is in the audit trail, for whoever has neither the trail nor a reason to trust its keeper.

It holds the entry's bytes, in which nothing is personal, a signed checkpoint, and the hashes that lead from the one to
the other: a few hundred bytes for a trail of a million entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.core.checkpoint import Checkpoint, VerifierKey, Verify, is_signed_by, read_note
from gateway.core.merkle import leaf_hash, proves_inclusion


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That the entry `seq` with these bytes is among those of a checkpoint; `hashes` are those of RFC 6962."""

    seq: int
    raw: bytes
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON holds it."""
        return {
            "seq": self.seq,
            "entry": self.raw.decode("utf-8", "replace"),  # of bytes that are no text nothing is proved
            "hash": leaf_hash(self.raw).hex(),
            "proof": [each.hex() for each in self.hashes],
            "checkpoint": describe_checkpoint(self.checkpoint),
        }

    def why_not(self, key: VerifierKey | None, verify: Verify) -> str | None:
        """Say why it proves nothing, or None where it proves the entry.

        With a `key` the checkpoint must be signed by it, as `verify` says; without one it counts by its text alone.
        """
        checkpoint = self.checkpoint
        if key is not None and not is_signed_by(checkpoint.note, key, verify):
            return f"the checkpoint of {checkpoint.size} entries is not signed by {key.name}"
        if _number_in(self.raw) != self.seq:
            return f"the entry does not say that it is number {self.seq}"
        root = bytes.fromhex(checkpoint.root)
        if not proves_inclusion(leaf_hash(self.raw), self.seq - 1, checkpoint.size, self.hashes, root):
            return f"the hashes do not lead from the entry to the root of the checkpoint of {checkpoint.size} entries"
        return None


def describe_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Write a checkpoint as JSON holds it."""
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note}


def read_proof(value: Any) -> EntryProof:
    """Read a proof from JSON; what the checkpoint says is read from its note alone.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    match value:
        case {"seq": int(seq), "entry": str(entry), "proof": [*hashes], "checkpoint": {"note": str(note)}}:
            if not all(isinstance(each, str) for each in hashes):
                raise ValueError("the hashes of a proof are texts of hexadecimal digits")
            return EntryProof(seq, entry.encode(), tuple(map(bytes.fromhex, hashes)), read_note(note)[0])
    raise ValueError("a proof has seq, entry, proof and a checkpoint with its note; pinion audit prove SEQ --json")


def _number_in(raw: bytes) -> int | None:
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    found = value.get("seq") if isinstance(value, Mapping) else None
    return found if isinstance(found, int) else None
