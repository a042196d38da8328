"""A snapshot finds the application of a key."""

import hashlib

import pytest

from gateway.core.api_key import named_key
from gateway.core.app import ANYONE, App
from gateway.core.snapshot import Snapshot

APP = App("helpdesk")
KEYS = {hashlib.sha256(b"sk-1").digest(): APP}


@pytest.mark.parametrize(
    ("credential", "app"), [(b"sk-1", APP), (b"sk-2", None), (b"", None), (None, None), (b"sk-1 ", None)]
)
def test_a_key_belongs_to_one_application(credential, app):
    """The whole key, and nothing else."""
    assert app is Snapshot(1, "r", {}, KEYS).app_of(credential)


@pytest.mark.parametrize("credential", [b"anything", b"", None])
def test_an_open_snapshot_lets_anyone_in(credential):
    """As the application `local`."""
    assert ANYONE is Snapshot(1, "r", {}, open=True).app_of(credential)


def test_keys_are_not_shown():
    """A snapshot may be logged."""
    assert "helpdesk" not in repr(Snapshot(1, "r", {}, KEYS))


@pytest.mark.parametrize("credential", [b"pin_1", b"pin_" + b"0" * 46, b"sk-1"])
def test_a_declared_key_is_good_whatever_its_form(credential):
    """A policy file holds the digest of whatever an application has; the checksum is for scanners of leaked secrets."""
    assert APP is Snapshot(1, "r", {}, {hashlib.sha256(credential).digest(): APP}).app_of(credential)


def test_the_keys_that_were_used_are_told_once():
    """By their digests; a key that is used again is told again."""
    snapshot = Snapshot(1, "r", {}, KEYS)
    used = {hashlib.sha256(b"sk-1").hexdigest()}
    snapshot.app_of(b"sk-2")
    assert frozenset() == snapshot.taken_use()
    for _ in range(2):
        assert APP is snapshot.app_of(b"sk-1")
        assert used == snapshot.taken_use()
    assert frozenset() == snapshot.taken_use()


ISSUED = named_key("app", "3fK9aQ0z", "s" * 32).encode()


@pytest.mark.parametrize(
    ("issued", "credential", "expected"),
    [
        (None, ISSUED, False),
        (frozenset(), ISSUED, True),
        (frozenset({"3fK9aQ0z"}), ISSUED, False),
        (frozenset(), ISSUED[:-1] + b"_", False),
        (frozenset(), named_key("operator", "3fK9aQ0z", "s" * 32).encode(), False),
        (frozenset(), b"sk-\xe9", False),
        (frozenset(), None, False),
    ],
)
def test_a_key_is_in_doubt_while_the_store_is_away_that_may_hold_it(issued, credential, expected):
    """What cannot be an issued key, or is known and lets nobody in, is not."""
    assert expected == Snapshot(1, "r", {}, KEYS, issued=issued).is_in_doubt(credential)
