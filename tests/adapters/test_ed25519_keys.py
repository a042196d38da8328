"""Keys that sign checkpoints, in their files."""

import stat

import pytest

from gateway.adapters.ed25519_keys import new_key, read_key, sign, verify, write_key
from gateway.core.checkpoint import VerifierKey
from gateway.core.errors import SetupFault


def test_a_key_signs_what_its_verifier_key_verifies(tmp_path):
    """From its file, too, which is its owner's alone."""
    key = new_key("log.example")
    write_key(key, tmp_path / "key")
    assert 0o600 == stat.S_IMODE((tmp_path / "key").stat().st_mode)
    read = read_key(tmp_path / "key")
    assert key == read
    signature = sign(read, b"message")
    public = key.verifier.public
    assert verify(public, b"message", signature)
    assert not verify(public, b"another", signature)
    assert not verify(new_key("log.example").verifier.public, b"message", signature)
    assert not verify(public, b"message", b"short")
    assert not verify(b"short", b"message", signature)


def test_a_key_is_never_written_over(tmp_path):
    """Nor where nothing can be written; the message says so, and repeats no key."""
    key = new_key("log.example")
    write_key(key, tmp_path / "key")
    with pytest.raises(SetupFault, match="is there already"):
        write_key(key, tmp_path / "key")
    with pytest.raises(SetupFault, match="No such file"):
        write_key(key, tmp_path / "nowhere" / "key")
    with pytest.raises(SetupFault, match="cannot name a key"):
        new_key("a b")


def test_what_is_no_key_is_refused(tmp_path):
    """A file that is not there, of something else, or whose parts do not fit; nothing of it is repeated."""
    with pytest.raises(SetupFault, match="pinion audit key"):
        read_key(tmp_path / "none")
    key = new_key("log.example")
    other = new_key("log.example").verifier
    texts = {
        "begins with PRIVATE": str(key.verifier),
        "NAME": "PRIVATE+KEY+secret",
        "id does not fit": key.text().replace(key.verifier.id.hex(), other.id.hex()),
    }
    for said, text in texts.items():
        (tmp_path / "key").write_text(text)
        with pytest.raises(SetupFault, match=said) as caught:
            read_key(tmp_path / "key")
        assert "secret" not in str(caught.value)
        assert text not in str(caught.value)
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(SetupFault, match="not text"):
        read_key(tmp_path / "key")
    assert VerifierKey("log.example", key.verifier.public) == key.verifier
