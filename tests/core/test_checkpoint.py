"""Checkpoints as signed notes, as C2SP writes them."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.checkpoint import (
    SigningKey,
    VerifierKey,
    checked_name,
    is_signed_by,
    read_note,
    signed_checkpoint,
    signing_seed,
    split_notes,
    verifier_key,
)
from gateway.core.errors import SetupFault

ROOT = hashlib.sha256(b"root").hexdigest()
KEY = VerifierKey("log.example/a", b"p" * 32)

KNOWN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
"""The verifier key in the example of the signed-note specification, as golang.org/x/mod/sumdb/note has it."""


def sign(message):
    """A signature that anyone could make."""
    return hashlib.sha512(message).digest()


def verify(public, message, signature):
    """Whether `sign` made it, for the key of these tests."""
    return public == KEY.public and signature == sign(message)


NOTE = signed_checkpoint("log.example/a", 20852163, ROOT, KEY, sign).note


def test_the_text_is_a_checkpoints():
    """Origin, size, root in base64, an empty line, and the signature under it with the key's id in front."""
    encoded = base64.b64encode(bytes.fromhex(ROOT)).decode()
    text = f"log.example/a\n20852163\n{encoded}\n"
    signature = base64.b64encode(KEY.id + sign(text.encode())).decode()
    assert f"{text}\n\u2014 log.example/a {signature}\n" == NOTE


def test_a_known_key_is_read_and_written():
    """The id of the specification's example fits, and the key is written as it was."""
    key = verifier_key(f" {KNOWN}\n")
    assert ("PeterNeumann", "c74f20a3", KNOWN) == (key.name, key.id.hex(), str(key))


def test_a_private_key_is_written_as_it_is_read():
    """Its file's line gives back name, id and seed; its repr shows none of it."""
    key = SigningKey(KEY, b"s" * 32)
    assert ("log.example/a", KEY.id, b"s" * 32) == signing_seed(f"{key.text()}\n")
    assert "ssss" not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        "name+C74F20A3+AQ==",
        "na me+c74f20a3+AQ==",
        "name+c74f20a3+!!",
        "name+c74f20a3+AQ==",
        KNOWN.replace("ARpc", "Arpc"),
        KNOWN.replace("c74f20a3", "c74f20a4"),
        KNOWN.replace("Peter", "Paul"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    """Another form, another algorithm, or an id that fits neither name nor key."""
    with pytest.raises(ValueError, match=r"key|signed note"):
        verifier_key(text)


def test_a_verifier_key_is_no_private_key():
    """The message says what one begins with, and repeats nothing."""
    with pytest.raises(ValueError, match="begins with PRIVATE") as caught:
        signing_seed(KNOWN)
    assert "c74f20a3" not in str(caught.value)


def test_a_good_signature_counts():
    """Of the key, for the log that it is named for, over the very text."""
    assert is_signed_by(NOTE, KEY, verify)
    assert not is_signed_by(NOTE.replace("20852163", "20852164"), KEY, verify)
    assert not is_signed_by(NOTE, VerifierKey("log.example/a", b"q" * 32), verify)
    assert not is_signed_by(NOTE, VerifierKey("log.example/b", KEY.public), verify)
    assert not is_signed_by("nonsense", KEY, verify)
    elsewhere = signed_checkpoint("log.example/b", 1, ROOT, KEY, sign).note
    assert not is_signed_by(elsewhere, KEY, verify)


def test_others_may_have_signed_too():
    """Witnesses add lines, and a checkpoint may have lines after the root."""
    witness = base64.b64encode(b"abcd" + b"w" * 64).decode()
    assert is_signed_by(f"{NOTE}\u2014 witness {witness}\n", KEY, verify)
    text = NOTE.partition("\n\n")[0] + "\nextension\n"
    signature = base64.b64encode(KEY.id + sign(text.encode())).decode()
    longer = f"{text}\n\u2014 {KEY.name} {signature}\n"
    assert is_signed_by(longer, KEY, verify)
    assert 20852163 == read_note(longer)[0].size


@given(st.integers(0, 10**17), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(size, root):
    """Size and root come back, and so does the signature."""
    made = signed_checkpoint("log.example/a", size, root.hex(), KEY, sign)
    read, ((name, blob),) = read_note(made.note)
    assert (made, KEY.name, KEY.id) == (read, name, blob[:4])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "log\n1\n",
        NOTE[:-1],
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("20852163", "-1"),
        NOTE.replace("20852163", "007"),
        NOTE.replace("20852163", "9" * 30),
        NOTE.replace("log.example/a\n2", "\n2"),
        NOTE.replace("\n\n", "AAAA\n\n"),
        NOTE.replace("\u2014", "-"),
        NOTE.replace("\u2014 log.example/a", "\u2014 "),
        NOTE.partition("\n\n")[0] + "\n\n\u2014 log.example/a AAAA\n",
        "x" * 1_000_001 + NOTE,
    ],
)
def test_what_is_no_checkpoint_is_refused(note):
    """Missing lines, other numbers, another root, other signatures, or far too long."""
    with pytest.raises(ValueError, match="no "):
        read_note(note)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a" * 201, "\u00fc", "a\n"])
def test_a_name_may_not_break_the_format(name):
    """What would end the line or the key is refused, with an example of a good one."""
    assert "example.com/pinion" == checked_name("example.com/pinion")
    with pytest.raises(SetupFault, match=r"as in example\.com/pinion"):
        checked_name(name)


def test_a_file_of_notes_is_taken_apart():
    """One after the other, however many lines of signatures and blanks are between."""
    witness = base64.b64encode(b"abcd" + b"w" * 64).decode()
    second = signed_checkpoint("log.example/a", 2, ROOT, KEY, sign).note + f"\u2014 witness {witness}\n"
    assert [NOTE, second, NOTE] == split_notes(f"\n{NOTE}\n{second}\n\n{NOTE}\n")
    assert [NOTE, NOTE] == split_notes(NOTE + NOTE)
    assert [] == split_notes("\n\n")
    assert ["half a note\n"] == split_notes("half a note\n")
