"""Addresses: which of them this machine alone can reach, and which are of the public internet."""

from ipaddress import IPv6Address, ip_address, ip_network


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


_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"))
"""IPv6 addresses that stand for IPv4 ones (RFC 6052, 8215, 3056): which, is for a translator on the way to choose."""


def is_public(host: str) -> bool:
    """Say whether an IP address is one of the public internet: what may be called on somebody's word alone.

    Private, loopback, link-local, carrier-grade NAT, multicast and reserved addresses are not, and neither is IPv4 in
    the dress of IPv6; a text that is no address is none.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return False
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast
