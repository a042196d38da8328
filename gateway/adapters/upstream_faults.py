"""What a transport met, in words that clients and operators may read: no address, no credential, no foreign text."""

import os
import socket
import ssl

from gateway.core.errors import UpstreamFault
from gateway.core.provider import Provider


def unreachable(provider: Provider, error: Exception) -> UpstreamFault:
    """No connection could be made."""
    way = "" if provider.proxy is None else " through its proxy"
    return UpstreamFault("connect", f"provider {provider.name} cannot be reached{way}: {_reason(error)}")


def no_free_connection(provider: Provider) -> UpstreamFault:
    """Every connection was taken for too long."""
    message = f"all {provider.max_connections} connections to provider {provider.name} are in use"
    return UpstreamFault("pool", f"{message}; raise its max_connections or send less")


def unsendable(provider: Provider) -> UpstreamFault:
    """The request would not be HTTP."""
    message = f"the request to provider {provider.name} cannot be sent: a header is not valid HTTP"
    return UpstreamFault("protocol", message)


def no_answer(provider: Provider) -> UpstreamFault:
    """What came before a whole head was none, or the connection ended there."""
    message = f"provider {provider.name} closed the connection, or spoke no HTTP/1.1, before it answered"
    return UpstreamFault("protocol", message)


def not_taken(provider: Provider) -> UpstreamFault:
    """The provider does not read the request."""
    return UpstreamFault("first_byte", f"provider {provider.name} does not take the request in time")


def broken_off(provider: Provider) -> UpstreamFault:
    """The answer ended before its end."""
    return UpstreamFault("cut", f"provider {provider.name} broke its answer off before the end")


def _reason(error: Exception) -> str:
    """Why a connection failed, less the address that the operating system's errors quote."""
    if isinstance(error, TimeoutError):
        return "the connection attempt timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message or error.reason})"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror) and error.errno:
        return os.strerror(error.errno)
    text = str(error)
    if text.startswith("Multiple exceptions"):  # several addresses failed, and the event loop quotes each
        return "none of its addresses could be connected to"
    return text or type(error).__name__
