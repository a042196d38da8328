"""Keys and tokens: their form, and what is recorded of those that were issued."""

import math
import re
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.api_key import (
    ALPHABET,
    ID_LENGTH,
    SECRET_LENGTH,
    IssuedKey,
    checksum,
    digest_of,
    id_of,
    is_spoilt,
    named_key,
    unnamed_key,
)

IDS = st.text(ALPHABET, min_size=ID_LENGTH, max_size=ID_LENGTH)
SECRETS = st.text(ALPHABET, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH)
DRAWN = st.text(ALPHABET, min_size=40, max_size=40)
KINDS = st.sampled_from(["app", "operator"])
TIMES = st.none() | st.floats(0, 1e9)

KEY = IssuedKey("k1", "app", "helpdesk", "ab" * 32, 1.0, "ada")
KEYS = st.builds(
    IssuedKey,
    st.just("k1"),
    st.just("app"),
    st.just("helpdesk"),
    st.just("ab" * 32),
    st.just(1.0),
    st.just("ada"),
    expires_at=TIMES,
    revoked_at=TIMES,
    replaced_by=st.none() | st.just("k2"),
)


@given(DRAWN)
def test_the_checksum_is_the_crc_in_base_62(drawn):
    """Read back as a number of base 62, the checksum is the CRC-32."""
    number = 0
    for digit in checksum(drawn):
        number = number * 62 + ALPHABET.index(digit)
    assert zlib.crc32(drawn.encode()) == number


@given(DRAWN)
def test_a_key_without_an_id_has_its_form_and_its_checksum(drawn):
    """It is `pin_`, what was drawn, and 6 characters that check it."""
    assert f"pin_{drawn}{checksum(drawn)}" == unnamed_key(drawn)
    assert not is_spoilt(unnamed_key(drawn).encode())
    assert None is id_of(unnamed_key(drawn), "app")


@given(KINDS, IDS, SECRETS)
def test_the_id_of_a_key_can_be_read(kind, key_id, secret):
    """By who expects a key of its kind, and by nobody else."""
    made = named_key(kind, key_id, secret)
    assert re.fullmatch(r"(pin|pio)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}", made)
    assert key_id == id_of(made, kind)
    assert None is id_of(made, "operator" if kind == "app" else "app")
    assert not is_spoilt(made.encode())


def test_a_secret_cannot_be_guessed():
    """It has 190 bits and more."""
    assert SECRET_LENGTH * math.log2(len(ALPHABET)) >= 190


@given(KINDS, IDS, SECRETS, st.integers(4, 50), st.sampled_from(ALPHABET + "_"))
def test_a_key_with_another_character_is_none(kind, key_id, secret, place, other):
    """CRC-32 finds every change of one character."""
    made = named_key(kind, key_id, secret)
    changed = made[:place] + other + made[place + 1 :]
    assert (None if changed != made else key_id) == id_of(changed, kind)
    assert (kind == "app" and changed != made) is is_spoilt(changed.encode())


@pytest.mark.parametrize("credential", [b"pin_", b"pin_short", b"pin_\xff" + b"0" * 45, b"pin_" + b"0" * 47])
def test_what_begins_as_a_key_and_is_none_is_spoilt(credential):
    """It needs no look-up."""
    assert is_spoilt(credential)


@pytest.mark.parametrize("credential", [b"sk-1", b"", b"pio_0", b"pinion"])
def test_a_credential_of_another_form_is_not_judged(credential):
    """A policy file may hold the digest of whatever an application has."""
    assert not is_spoilt(credential)


def test_a_key_is_known_by_its_digest_alone():
    """It is SHA-256, and not shown."""
    assert "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" == digest_of("secret")
    assert KEY.digest == bytes.fromhex("ab" * 32)
    assert KEY.sha256 not in repr(KEY)


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, 1e12, True),
        ({"expires_at": 5.0}, 4.9, True),
        ({"expires_at": 5.0}, 5.0, False),
        ({"revoked_at": 5.0}, 4.0, False),
    ],
)
def test_a_key_is_good_until_it_ends_or_is_revoked(changes, now, expected):
    """A revocation has no time of its own: who knows of it refuses."""
    assert expected is replace(KEY, **changes).is_good(now)


def test_the_first_revocation_stands():
    """Whoever comes later."""
    revoked = KEY.revoked(5.0, "ada")
    assert (5.0, "ada") == (revoked.revoked_at, revoked.revoked_by)
    assert revoked is revoked.revoked(6.0, "bob")


def test_a_replaced_key_does_not_last_longer_than_it_would_have():
    """The overlap shortens its life and never prolongs it."""
    assert (9.0, "k2") == (KEY.replaced("k2", 9.0).expires_at, KEY.replaced("k2", 9.0).replaced_by)
    assert 4.0 == replace(KEY, expires_at=4.0).replaced("k2", 9.0).expires_at


@given(KEYS, KEYS, st.floats(0, 1e9))
def test_what_two_know_of_a_key_never_revives_it(one, other, now):
    """Joined either way it is good only where it was good to both, and the same for both."""
    joined = one.merged(other)
    assert joined.is_good(now) is (one.is_good(now) and other.is_good(now))
    assert other.merged(one).is_good(now) is joined.is_good(now)
    assert joined == joined.merged(one) == joined.merged(other)
    assert joined.replaced_by == ("k2" if one.replaced_by or other.replaced_by else None)
