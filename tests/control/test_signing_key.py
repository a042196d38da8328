"""Signing keys: what they sign, what they verify, and what is no key."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from gateway.control.signing_key import new_pair, read_private_key, read_public_key

ALGORITHMS = ("ed25519", "ecdsa-p256")


def pem_of(key, password=None):
    """A private key's PEM, and its public key's."""
    locked = NoEncryption() if password is None else BestAvailableEncryption(password)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_a_key_signs_its_public_key_verifies(algorithm):
    """And nobody else's; the envelope names the key by its id."""
    private, public = map(str, new_pair(algorithm))
    envelope = read_private_key(private).sign("t", b"payload")
    known = read_public_key(public)
    assert known.has_signed(envelope)
    assert known == read_private_key(private).public
    assert [known.keyid] == [signature.keyid for signature in envelope.signatures]
    for other in ALGORITHMS:
        assert not read_public_key(new_pair(other)[1]).has_signed(envelope)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_of_one_payload_and_one_type(algorithm):
    """Neither can be changed, nor can the signature be cut."""
    private, public = new_pair(algorithm)
    envelope = read_private_key(private).sign("t", b"payload")
    known = read_public_key(public)
    cut = replace(envelope.signatures[0], value=envelope.signatures[0].value[:-1])
    changed = (
        replace(envelope, payload=b"payloae"),
        replace(envelope, payload_type="u"),
        replace(envelope, signatures=(cut,)),
        replace(envelope, signatures=(replace(cut, value=b""),)),
    )
    assert not any(known.has_signed(one) for one in changed)
    assert known.has_signed(replace(envelope, signatures=(cut, *envelope.signatures)))


def test_a_key_id_is_the_digest_of_the_key():
    """Of its DER, so anyone can tell it; what an envelope says of key ids decides nothing."""
    private, public = new_pair("ed25519")
    der = load_pem_public_key(public.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = read_public_key(public)
    assert hashlib.sha256(der).hexdigest() == known.keyid
    envelope = read_private_key(private).sign("t", b"payload")
    renamed = replace(envelope, signatures=(replace(envelope.signatures[0], keyid="another"),))
    assert known.has_signed(renamed)


def test_a_private_key_shows_nothing():
    """Not in its repr."""
    assert "PrivateKey()" == repr(read_private_key(new_pair("ed25519")[0]))


def test_only_two_kinds_of_key_are_taken():
    """RSA and other curves are refused, private and public."""
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        private, public = pem_of(key)
        for read, pem in ((read_private_key, private), (read_public_key, public)):
            with pytest.raises(ValueError, match="the key is of another kind; use Ed25519 or ECDSA P-256"):
                read(pem)


def test_what_is_no_key_is_refused():
    """Text, a public key in the private one's place, one with a password, one that is far too long."""
    private, public = new_pair("ed25519")
    locked, _ = pem_of(ec.generate_private_key(ec.SECP256R1()), b"password")
    for pem in ("", "text", public, locked, private + " " * 10_000):
        with pytest.raises(ValueError, match="not a private key in PEM without a password; ") as caught:
            read_private_key(pem)
        assert caught.value.__cause__ is None
    for pem in ("", "text", public[:40], public + " " * 10_000):
        with pytest.raises(ValueError, match="not a public key in PEM; "):
            read_public_key(pem)


def test_a_private_key_is_not_taken_for_a_public_one():
    """It is told to be taken away, and not shown."""
    private, _ = new_pair("ed25519")
    with pytest.raises(ValueError, match="this is a private key; take it away") as caught:
        read_public_key(private)
    assert private.splitlines()[1] not in str(caught.value)
