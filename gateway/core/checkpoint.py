"""Checkpoints: a signed statement of how far the audit trail has come.

The text is a C2SP tlog-checkpoint (`origin`, `size`, `base64 root`, a line each) in a C2SP signed note: an empty line,
then a line for each signature, `DASH NAME base64(key id || signature)`. Keys are Ed25519.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.errors import SetupFault

ALGORITHM = b"\x01"
"""Ed25519, as signed notes number it."""

SECRET_PREFIX = "PRIVATE+KEY+"  # noqa: S105 - how a private key begins, not one

_NAME = re.compile(r"[!-*,-~]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_LONGEST_NOTE = 1_000_000

Sign = Callable[[bytes], bytes]
"""Makes of a message its Ed25519 signature of 64 bytes."""

Verify = Callable[[bytes, bytes, bytes], bool]
"""Says whether (public key, message, signature) belong together."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it was sent out: how many entries it stands for, their root in hexadecimal, the whole note."""

    origin: str
    size: int
    root: str
    note: str


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key by its name, 32 bytes of Ed25519."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || newline || algorithm || key), which a signature begins with."""
        return _key_id(self.name, self.public)

    def __str__(self) -> str:
        encoded = base64.b64encode(ALGORITHM + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key by its name: the 32 bytes of its seed, and the public key that belongs to it."""

    verifier: VerifierKey
    seed: bytes = field(repr=False)

    def text(self) -> str:
        """Write the key as its file holds it, `PRIVATE+KEY+NAME+ID+base64(algorithm || seed)`."""
        verifier = self.verifier
        encoded = base64.b64encode(ALGORITHM + self.seed).decode()
        return f"{SECRET_PREFIX}{verifier.name}+{verifier.id.hex()}+{encoded}"


def verifier_key(text: str) -> VerifierKey:
    """Read a verifier key, `NAME+ID+base64(algorithm || key)`.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    name, key_id, key = _parts(text.strip())
    found = VerifierKey(name, key)
    if found.id != key_id:
        raise ValueError("the verifier key's id does not fit its name and key; copy it whole")
    return found


def signing_seed(text: str) -> tuple[str, bytes, bytes]:
    """Read a private key as a file holds it; give its name, its id and its seed of 32 bytes.

    Raises:
        ValueError: it is none; the message repeats nothing of it.
    """
    bare = text.strip()
    if not bare.startswith(SECRET_PREFIX):
        raise ValueError(f"no private key: it begins with {SECRET_PREFIX}; `pinion audit key` makes one")
    return _parts(bare.removeprefix(SECRET_PREFIX))


def checked_name(name: str) -> str:
    """Give a name that a key may have.

    Raises:
        SetupFault: it is empty, too long, or holds a blank, a plus or what is not ASCII.
    """
    if not _NAME.fullmatch(name):
        raise SetupFault(f"{name[:50]!r} cannot name a key; use ASCII without blanks and +, as in example.com/pinion")
    return name


def signed_checkpoint(name: str, size: int, root: str, key: VerifierKey, sign: Sign) -> Checkpoint:
    """Make the checkpoint of `size` entries with this root in hexadecimal digits, signed with a key."""
    text = f"{name}\n{size}\n{base64.b64encode(bytes.fromhex(root)).decode()}\n"
    signature = base64.b64encode(key.id + sign(text.encode())).decode()
    return Checkpoint(name, size, root, f"{text}\n\u2014 {key.name} {signature}\n")


def read_note(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    """Read a checkpoint with the signatures under it: each a name, with the key's id and the signature in one.

    Lines after the root are extensions, which are signed too and say nothing here.

    Raises:
        ValueError: it is no checkpoint; the message says what is wrong.
    """
    text, separator, below = note.rpartition("\n\n")
    lines = text.split("\n")
    if len(note) > _LONGEST_NOTE or not separator or len(lines) < 3 or not below.endswith("\n"):
        raise ValueError("no signed checkpoint: three lines, an empty one, and signatures")
    origin, size, root = lines[:3]
    raw = _decoded(root)
    if not origin or not _SIZE.fullmatch(size) or raw is None or len(raw) != 32:
        raise ValueError("no checkpoint: its lines are an origin, a size and a root of 32 bytes in base64")
    return Checkpoint(origin, int(size), raw.hex(), note), [_signature(line) for line in below.splitlines()]


def split_notes(text: str) -> list[str]:
    """Take a file of notes apart, one after the other: each ends after the last line of its signatures."""
    notes: list[str] = []
    lines: list[str] = []
    is_signed = False
    for line in text.splitlines(keepends=True):
        is_signature = line.startswith("\u2014 ")
        if is_signed and not is_signature:
            notes.append("".join(lines))
            lines = []
        is_signed = is_signature
        if lines or line.strip():
            lines.append(line)
    return [*notes, "".join(lines)] if lines else notes


def is_signed_by(note: str, key: VerifierKey, verify: Verify) -> bool:
    """Say whether a note has a good signature of a key, and is of the log that the key is named for.

    A checkpoint of another log of the same holder is none of this one.
    """
    try:
        checkpoint, signatures = read_note(note)
    except ValueError:
        return False
    message = _signed_part(note)
    return checkpoint.origin == key.name and any(
        name == key.name and blob[:4] == key.id and verify(key.public, message, blob[4:]) for name, blob in signatures
    )


def _signed_part(note: str) -> bytes:
    text, _, _ = note.rpartition("\n\n")
    return f"{text}\n".encode()


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    blob = _decoded(encoded)
    if dash != "\u2014" or not name or blob is None or len(blob) < 5:
        raise ValueError("no signature: a line is a dash, a name, and base64 of a key's id with its signature")
    return name, blob


def _parts(text: str) -> tuple[str, bytes, bytes]:
    """Take NAME+ID+KEY apart; the key without the number of its algorithm."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    blob = _decoded(encoded)
    if not _NAME.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{8}", key_id) or blob is None:
        raise ValueError("no key of a signed note: NAME+ID+KEY, the id 8 hexadecimal digits, the key base64")
    if blob[:1] != ALGORITHM or len(blob) != 33:
        raise ValueError("not an Ed25519 key; use one that `pinion audit key` made")
    return name, bytes.fromhex(key_id), blob[1:]


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ALGORITHM + public).digest()[:4]


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
