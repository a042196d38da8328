"""Keys and tokens: their form, and what is recorded of those that were issued."""

import math
import re
import zlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.api_key import (
    ALPHABET,
    ID_LENGTH,
    SECRET_LENGTH,
    IssuedKey,
    checksum,
    id_of,
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
    assert None is id_of(unnamed_key(drawn), "app")


@given(KINDS, IDS, SECRETS)
def test_the_id_of_a_key_can_be_read(kind, key_id, secret):
    """By who expects a key of its kind, and by nobody else."""
    made = named_key(kind, key_id, secret)
    assert re.fullmatch(r"(pin|pio)_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}", made)
    assert key_id == id_of(made, kind)
    assert None is id_of(made, "operator" if kind == "app" else "app")


def test_a_secret_cannot_be_guessed():
    """It has 190 bits and more."""
    assert SECRET_LENGTH * math.log2(len(ALPHABET)) >= 190


@given(KINDS, IDS, SECRETS, st.integers(4, 50), st.sampled_from(ALPHABET + "_"))
def test_a_key_with_another_character_is_none(kind, key_id, secret, place, other):
    """CRC-32 finds every change of one character."""
    made = named_key(kind, key_id, secret)
    changed = made[:place] + other + made[place + 1 :]
    assert (None if changed != made else key_id) == id_of(changed, kind)
