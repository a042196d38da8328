"""Addresses."""

import pytest

from gateway.core.address import is_loopback, is_public


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


@pytest.mark.parametrize("host", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_the_public_internet(host):
    """Addresses that anyone may have."""
    assert is_public(host)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:1.1.1.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::",
        "2001:db8::1",
        "localhost",
        "example.com",
        "",
    ],
)
def test_what_is_not_the_public_internet(host):
    """Private, local, shared, reserved, an IPv4 address in the dress of IPv6, and what is no address."""
    assert not is_public(host)
