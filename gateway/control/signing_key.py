"""Keys that sign releases: Ed25519, or ECDSA on P-256 with SHA-256; as PEM."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gateway.core.attestation import Envelope, Signature, pre_authentication

Algorithm = Literal["ed25519", "ecdsa-p256"]

MAX_PEM_CHARS = 8 * 1024

_Public = Ed25519PublicKey | EllipticCurvePublicKey
_Private = Ed25519PrivateKey | EllipticCurvePrivateKey
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)
_SUPPORTED = "use Ed25519 or ECDSA P-256, as pinion release key makes them"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with; `keyid` is the SHA-256 of its DER (SubjectPublicKeyInfo), in hexadecimal."""

    keyid: str
    _key: _Public = field(repr=False, compare=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether a signature of a message was made with the private key that belongs to this one."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def has_signed(self, envelope: Envelope) -> bool:
        """Say whether one of an envelope's signatures is this key's and good, whatever key ids it names."""
        signed = envelope.signed
        return any(self.verifies(signature.value, signed) for signature in envelope.signatures)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What signs."""

    _key: _Private = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The key that belongs to it."""
        return _public(self._key.public_key())

    def sign(self, payload_type: str, payload: bytes) -> Envelope:
        """Put a payload into an envelope with this key's signature."""
        message = pre_authentication(payload_type, payload)
        if isinstance(self._key, Ed25519PrivateKey):
            value = self._key.sign(message)
        else:
            value = self._key.sign(message, ECDSA(SHA256()))
        return Envelope(payload_type, payload, (Signature(self.public.keyid, value),))


def read_public_key(pem: str) -> PublicKey:
    """Read a public key.

    Raises:
        ValueError: it is none that can be used; `problem; remedy`.
    """
    if "PRIVATE KEY" in pem:
        raise ValueError("this is a private key; take it away from here, and name the public key that belongs to it")
    try:
        key = load_pem_public_key(_sized(pem))
    except _UNREADABLE:
        raise ValueError(f"not a public key in PEM; {_SUPPORTED}") from None
    return _public(key)


def read_private_key(pem: str) -> PrivateKey:
    """Read a private key. No message shows anything of it.

    Raises:
        ValueError: it is none that can be used; `problem; remedy`.
    """
    try:
        key = load_pem_private_key(_sized(pem), password=None)
    except _UNREADABLE:
        raise ValueError(f"not a private key in PEM without a password; {_SUPPORTED}") from None
    if isinstance(key, Ed25519PrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and _is_p256(key)):
        return PrivateKey(key)
    raise ValueError(f"the key is of another kind; {_SUPPORTED}")


def new_pair(algorithm: Algorithm) -> tuple[str, str]:
    """Make a key that nobody can guess; give its private and its public PEM."""
    key = Ed25519PrivateKey.generate() if algorithm == "ed25519" else generate_private_key(SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def _public(key: object) -> PublicKey:
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, EllipticCurvePublicKey) and _is_p256(key)):
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return PublicKey(hashlib.sha256(der).hexdigest(), key)
    raise ValueError(f"the key is of another kind; {_SUPPORTED}")


def _is_p256(key: EllipticCurvePublicKey | EllipticCurvePrivateKey) -> bool:
    return isinstance(key.curve, SECP256R1)


def _sized(pem: str) -> bytes:
    if len(pem) > MAX_PEM_CHARS:
        raise ValueError("too long")
    return pem.encode()
