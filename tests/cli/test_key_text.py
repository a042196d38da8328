"""Keys in words."""

import pytest

from gateway.cli.key_text import echo_revoked, keys_table, lasting
from gateway.cli.terminal import show

KEY = {
    "key": "abcd1234",
    "owner": "helpdesk",
    "state": "good",
    "created_at": 0.0,
    "created_by": "ada",
    "expires_at": None,
    "revoked_at": None,
    "revoked_by": None,
    "replaced_by": None,
    "last_used_at": None,
}


def row(capsys, **changes):
    """The cells of a key's row."""
    show(keys_table([{**KEY, **changes}]))
    return [cell.strip() for cell in capsys.readouterr().out.splitlines()[2].split("   ") if cell.strip()]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["abcd1234", "helpdesk", "good", "-", "1970-01-01", "ada", "never"]),
        (
            {"expires_at": 86_400.0, "last_used_at": 60.0},
            ["abcd1234", "helpdesk", "good", "1970-01-02 00:00:00", "1970-01-01", "ada", "1970-01-01 00:01:00"],
        ),
        (
            {"state": "revoked", "revoked_at": 3600.0, "expires_at": 86_400.0, "replaced_by": "efgh5678"},
            ["abcd1234", "helpdesk", "revoked, now efgh5678", "1970-01-01 01:00:00", "1970-01-01", "ada", "never"],
        ),
    ],
)
def test_a_key_is_a_row(capsys, changes, expected):
    """With when it ends or was revoked, and what took its place."""
    assert expected == row(capsys, **changes)


def test_a_key_lasts_until_something():
    """A time, or a revocation."""
    assert "until it is revoked" == lasting(None)
    assert "until 1970-01-01 00:00:09 UTC" == lasting(9.0)


@pytest.mark.parametrize(("is_recorded", "late"), [(True, False), (False, True)])
def test_a_revocation_that_is_not_in_the_store_says_so(capsys, is_recorded, late):
    """It is in force all the same."""
    echo_revoked({**KEY, "revoked_at": 9.0, "revoked_by": "bob", "is_recorded": is_recorded}, "key")
    said = capsys.readouterr().out
    assert said.startswith("key abcd1234 of helpdesk: revoked 1970-01-01 00:00:09 UTC by bob")
    assert late is ("not in the store yet" in said)
