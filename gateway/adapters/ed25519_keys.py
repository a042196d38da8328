"""Ed25519 keys that sign checkpoints of the audit trail, in files of their owner's alone."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.core.checkpoint import SigningKey, VerifierKey, checked_name, signing_seed
from gateway.core.errors import SetupFault


def new_key(name: str) -> SigningKey:
    """Make a key of a name.

    Raises:
        SetupFault: the name cannot name one.
    """
    return _key(checked_name(name), Ed25519PrivateKey.generate())


def write_key(key: SigningKey, path: Path) -> None:
    """Write a key into a file that is not there yet, which only its owner can read.

    Raises:
        SetupFault: the file is there, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{key.text()}\n")
    except FileExistsError as error:
        raise SetupFault(f"{path} is there already; a key is never written over, name another file") from error
    except OSError as error:
        raise SetupFault(f"{path}: {error.strerror}; name a file that can be written") from error


def read_key(path: Path) -> SigningKey:
    """Read a key from its file.

    Raises:
        SetupFault: there is none; the message says why and repeats nothing of it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        name, key_id, seed = signing_seed(text)
    except OSError as error:
        raise SetupFault(f"{path}: {error.strerror}; `pinion audit key FILE` makes one") from error
    except ValueError as error:
        said = "not text" if isinstance(error, UnicodeError) else str(error)
        raise SetupFault(f"{path} is no key: {said}") from error
    key = _key(name, Ed25519PrivateKey.from_private_bytes(seed))
    if key.verifier.id != key_id:
        raise SetupFault(f"{path} is no key: its id does not fit; restore the file, or make another key")
    return key


def sign(key: SigningKey, message: bytes) -> bytes:
    """Sign a message; give the signature of 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key.seed).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a message has this signature of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _key(name: str, key: Ed25519PrivateKey) -> SigningKey:
    return SigningKey(VerifierKey(name, key.public_key().public_bytes_raw()), key.private_bytes_raw())
