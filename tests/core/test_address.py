"""Addresses."""

import pytest

from gateway.core.address import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_loopback_is_reachable_from_this_machine_alone(host):
    """The whole of 127.0.0.0/8, ::1 and the name localhost."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "127.evil.test",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "[::1]",
        "2130706433",
        "",
    ],
)
def test_everything_else_is_not(host):
    """Names that begin like loopback are names, which anyone may point anywhere."""
    assert not is_loopback(host)
