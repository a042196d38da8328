"""The audit trail's entries: canonical bytes, chained, with nothing personal in them."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.audit import (
    GENESIS,
    MOST_DETAILS,
    MOST_REASON,
    MOST_TEXT,
    AuditAct,
    Origin,
    Place,
    Salted,
    Target,
    digest_of_texts,
    entry_of,
    moment_text,
    name_of_actor,
    reason_of_act,
)

PLACE = Place("c0ffee", 1, GENESIS)
ACT = AuditAct(
    at=1_764_000_000.1234,
    actor="ada",
    action="rollout.promote",
    target=Target("route", "support", "1.1.0"),
    origin=Origin("person", "operator", "token", "req-1", "ab" * 32),
    reason="it looks well",
    before_digest="00" * 32,
    after_digest="11" * 32,
    details={"step": "2", "attempt": "1"},
)

TEXTS = st.text(max_size=400)


def test_the_bytes_are_one_canonical_line():
    """The keys are sorted, the time is a text with milliseconds: the format, byte by byte."""
    entry = entry_of(ACT, PLACE, "f" * 64, "e" * 64)
    expected = (
        '{"action":"rollout.promote","actor":{"auth":"token","id":"FFFF","kind":"person","role_used":"operator"},'
        '"after_digest":"1111","before_digest":"0000","chain":"c0ffee","details":{"attempt":"1","step":"2"},'
        '"outcome":"allowed","policy_revision":"abab","prev":"ZZZZ","reason":"EEEE","request_id":"req-1","seq":1,'
        '"target":{"digest":null,"id":"support","kind":"route","version":"1.1.0"},"ts":"2025-11-24T16:00:00.123Z","v":1}'
    )
    for short, whole in (("FFFF", "f" * 64), ("EEEE", "e" * 64), ("ZZZZ", "0" * 64)):
        expected = expected.replace(short, whole)
    for short, whole in (("1111", "11" * 32), ("0000", "00" * 32), ("abab", "ab" * 32)):
        expected = expected.replace(f'"{short}"', f'"{whole}"')
    assert expected == entry.raw.decode()
    assert (1, hashlib.sha256(b"\x00" + entry.raw).hexdigest()) == (entry.seq, entry.hash)


def test_nothing_personal_is_in_the_bytes():
    """Neither who acted nor what they wrote; and no repr of an act or a salted text shows the words."""
    entry = entry_of(ACT, PLACE, Salted(b"s" * 32, ACT.actor).digest, Salted(b"t" * 32, ACT.reason).digest)
    assert b'"ada"' not in entry.raw
    assert b"looks" not in entry.raw
    assert "looks" not in repr(ACT)
    assert "ada" not in repr(Salted(b"s" * 32, "ada"))


def test_a_salted_digest_is_an_hmac():
    """Whoever has the salt and the text can compute it, and nobody else can try names out."""
    assert hmac.new(b"s" * 32, b"ada", "sha256").hexdigest() == Salted(b"s" * 32, "ada").digest
    assert Salted(b"s" * 32, "ada").digest != Salted(b"t" * 32, "ada").digest


@given(
    st.builds(
        AuditAct,
        at=st.floats(allow_nan=False),
        actor=TEXTS,
        action=TEXTS,
        target=st.builds(Target, TEXTS, TEXTS, TEXTS),
        reason=TEXTS,
        details=st.dictionaries(TEXTS, TEXTS, max_size=40),
    )
)
def test_whatever_an_act_holds_is_written(act):
    """Lone surrogates, NULs, endless texts and any clock: the entry is JSON that reads back, and is not endless."""
    entry = entry_of(act, PLACE, "f" * 64, None)
    read = json.loads(entry.raw.decode("utf-8"))
    assert (1, "c0ffee", None) == (read["seq"], read["chain"], read["reason"])
    assert len(read["details"]) <= MOST_DETAILS
    assert len(read["target"]["id"]) <= MOST_TEXT
    assert "\0" not in reason_of_act(act) + name_of_actor(act)
    (reason_of_act(act) + name_of_actor(act)).encode()


def test_what_is_too_long_is_cut():
    """A reason and a name keep their beginning."""
    long = AuditAct(0.0, "a" * 1000, "a.b", Target("route", "r"), reason="b" * 10_000)
    assert ("a" * MOST_TEXT, "b" * MOST_REASON) == (name_of_actor(long), reason_of_act(long))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.0005, "1970-01-01T00:00:01.000Z"),
        (-5.0, "1970-01-01T00:00:00.000Z"),
        (1e300, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_always_has_the_same_form(seconds, expected):
    """Milliseconds and a Z; beyond what has such a form, the nearest that has."""
    assert expected == moment_text(seconds)


def test_texts_are_told_apart_in_their_order():
    """No two lists of texts share a digest because their letters do."""
    assert 4 == len({digest_of_texts(*texts) for texts in (("ab", "c"), ("a", "bc"), ("c", "ab"), ("abc",))})
