"""A provider keeps its secrets to itself."""

from typing import get_args

from gateway.core.provider import PUBLIC_BASE_URL, Credential, DialectName, Provider, Timeouts


def test_a_credential_shows_its_source_alone():
    """Its value is in no log."""
    provider = Provider(
        "openai", "openai", "u", Credential("env:KEY", b"authorization", b"Bearer sk-1"), proxy="http://u:p@x"
    )
    assert "env:KEY" in repr(provider)
    assert "sk-1" not in repr(provider)
    assert "u:p" not in repr(provider)


def test_every_dialect_is_spoken_somewhere():
    """Each has a public address, written as its own SDK takes it."""
    assert set(get_args(DialectName)) == PUBLIC_BASE_URL.keys()
    assert (True, False) == (PUBLIC_BASE_URL["openai"].endswith("/v1"), PUBLIC_BASE_URL["anthropic"].endswith("/v1"))


def test_deadlines_have_defaults():
    """The whole is longer than its parts."""
    limits = Timeouts()
    assert limits.total > limits.first_byte >= limits.idle > limits.connect > 0
