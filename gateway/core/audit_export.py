"""An export of the audit trail: JSON lines that can be checked without Pinion's database.

First come the checkpoints, then the entries in order, and at last how many there are and their root: an export without
its last line was cut off. An entry's bytes are a text, escaped as JSON does; a name and a reason come with their salts,
so that whoever has the export can see that they are the ones that the entry has as digests.
"""

import json
from typing import Any

from gateway.core.audit import Entry, Salted, ToldEntry, TreeHead
from gateway.core.checkpoint import Checkpoint, read_note

Line = ToldEntry | Checkpoint | TreeHead


def line_of(told: Line) -> str:
    """Write an entry, a checkpoint or the end as one line, with its newline."""
    match told:
        case ToldEntry(entry, actor, reason):
            raw = entry.raw.decode("utf-8", "surrogateescape")
            value: dict[str, Any] = {"seq": entry.seq, "entry": raw, "hash": entry.hash}
            value |= {"actor": _salted(actor), "reason": _salted(reason)}
        case Checkpoint():
            value = {"checkpoint": told.note}
        case _:
            value = {"chain": told.chain, "size": told.size, "root": told.root}
    return json.dumps(value) + "\n"


def read_line(text: str) -> Line:
    """Read a line of an export.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    value = json.loads(text)
    match value:
        case {"seq": int(seq), "entry": str(raw), "hash": str(hashed), "actor": actor, "reason": reason}:
            entry = Entry(seq, raw.encode("utf-8", "surrogateescape"), hashed)
            return ToldEntry(entry, _unsalted(actor), _unsalted(reason))
        case {"checkpoint": str(note)}:
            return read_note(note)[0]
        case {"chain": str(chain), "size": int(size), "root": str(root)}:
            return TreeHead(chain, size, root)
    raise ValueError("a line of an export is an entry, a checkpoint, or the end with chain, size and root")


def _salted(salted: Salted | None) -> dict[str, str] | None:
    return None if salted is None else {"text": salted.text, "salt": salted.salt.hex()}


def _unsalted(value: Any) -> Salted | None:
    match value:
        case None:
            return None
        case {"text": str(text), "salt": str(salt)}:
            return Salted(bytes.fromhex(salt), text)
    raise ValueError("a name or a reason is null, or a text with its salt")
