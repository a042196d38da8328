"""Addresses: which of them this machine alone can reach."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Say whether a host, a name or an IP address without brackets, is reachable from this machine alone.

    Of names only `localhost` counts: what another one stands for is for whoever answers a query to choose.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
