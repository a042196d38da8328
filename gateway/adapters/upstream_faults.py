"""What a transport met, in words that clients and operators may read: no address, no credential, no foreign text."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator

from gateway.core.errors import UpstreamFault
from gateway.core.provider import Provider

_SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL))
"""What this machine had too little of, for a connection to anybody: descriptors, memory, ports of its own."""


def unreachable(provider: Provider, error: Exception) -> UpstreamFault:
    """No connection could be made: through the provider, or because this machine lacks what it takes."""
    shortage = _shortage(error)
    if shortage is not None:
        message = f"the gateway has no room for a connection to provider {provider.name}: {os.strerror(shortage)}"
        return UpstreamFault("local", f"{message}; send the request again in a moment")
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


def _shortage(error: Exception) -> int | None:
    """Find the machine's own shortage among the causes of an error, as an `errno`.

    A name that cannot be resolved may stand for one: the resolver, too, needs a descriptor, and does not tell.
    """
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return _lack_of_descriptors()
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno in _SHORTAGES:
            return cause.errno
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, and what it was raised for; a transport that tried several addresses has an error of each."""
    while error is not None:
        yield error
        error = error.exceptions[-1] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__


def _lack_of_descriptors() -> int | None:
    """Try whether a descriptor can be had, and give the `errno` where not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno
    return None


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
