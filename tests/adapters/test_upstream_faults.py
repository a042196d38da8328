"""What a transport met, in words: each names the provider, and none an address, a credential or a proxy's password."""

import errno
import os
import socket
import ssl

import pytest

from gateway.adapters import upstream_faults
from gateway.adapters.upstream_faults import unreachable
from gateway.core.provider import Credential, Provider
from tests.adapters.exhaustion import no_descriptors

PROVIDER = Provider(
    "acme",
    "openai",
    "https://10.0.0.7:8443/v1",
    credential=Credential("env:KEY", b"authorization", b"Bearer sk-secret"),
    max_connections=7,
    ca_file="/etc/acme.pem",
)
PROXIED = Provider("acme", "openai", "https://10.0.0.7:8443/v1", proxy="http://someone:hush@10.0.0.8:3128")
HIDDEN = ["10.0.0", "8443", "3128", "secret", "hush", "someone", "authorization", "env:KEY"]


def distrusted(message: str) -> ssl.SSLCertVerificationError:
    """What Python's ssl raises for a certificate."""
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    error.verify_message, error.reason = message, "CERTIFICATE_VERIFY_FAILED"
    return error


FAULTS = {
    "no_free_connection": (
        "pool",
        "all 7 connections to provider acme are in use; raise its max_connections or send less",
    ),
    "unsendable": ("protocol", "the request to provider acme cannot be sent: a header is not valid HTTP"),
    "no_answer": (
        "protocol",
        "provider acme closed the connection, or spoke no HTTP/1.1, before it answered",
    ),
    "not_taken": ("first_byte", "provider acme does not take the request in time"),
    "broken_off": ("cut", "provider acme broke its answer off before the end"),
}


@pytest.mark.parametrize(("name", "kind", "message"), [(name, *told) for name, told in FAULTS.items()])
def test_each_fault_names_the_provider(name, kind, message):
    """Its kind is what breakers and records count, its message is for a person."""
    fault = getattr(upstream_faults, name)(PROVIDER)
    assert (kind, message) == (fault.kind, fault.message)
    assert [] == [hidden for hidden in HIDDEN if hidden in fault.message]


REASONS = [
    (TimeoutError(), "the connection attempt timed out"),
    (TimeoutError(errno.ETIMEDOUT, "to ('10.0.0.7', 8443)"), "the connection attempt timed out"),
    (
        ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.7', 8443)"),
        os.strerror(errno.ECONNREFUSED),
    ),
    (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.7', 8443)"), os.strerror(errno.EHOSTUNREACH)),
    (
        OSError("Multiple exceptions: [Errno 111] Connect call failed ('10.0.0.7', 8443), [Errno 113] ('10.0.0.9', 1)"),
        "none of its addresses could be connected to",
    ),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "[Errno -2] Name or service not known"),
    (
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        "[SSL: WRONG_VERSION_NUMBER] wrong version number",
    ),
    (distrusted("self-signed certificate"), "its certificate is not trusted (self-signed certificate)"),
    (distrusted(""), "its certificate is not trusted (CERTIFICATE_VERIFY_FAILED)"),
    (
        OSError("its ca_file /etc/acme.pem has no readable certificates"),
        "its ca_file /etc/acme.pem has no readable certificates",
    ),
    (ValueError("its base URL must begin with http://"), "its base URL must begin with http://"),
    (ConnectionResetError(), "ConnectionResetError"),
]


@pytest.mark.parametrize(("error", "reason"), REASONS)
@pytest.mark.parametrize("provider", [PROVIDER, PROXIED], ids=["direct", "proxied"])
def test_why_a_provider_cannot_be_reached(provider, error, reason):
    """The reason is the system's, without the address that it quotes; a proxy is mentioned, as it may be to blame."""
    fault = unreachable(provider, error)
    way = " through its proxy" if provider is PROXIED else ""
    assert ("connect", f"provider acme cannot be reached{way}: {reason}") == (
        fault.kind,
        fault.message,
    )
    assert [] == [hidden for hidden in HIDDEN if hidden in fault.message]


def caused(error: Exception, cause: Exception) -> Exception:
    """An error that was raised from another one."""
    error.__cause__ = cause
    return error


SHORTAGES = [
    (OSError(errno.EMFILE, "Too many open files"), errno.EMFILE),
    (OSError(errno.ENFILE, "Too many open files in system"), errno.ENFILE),
    (OSError(errno.ENOBUFS, "No buffer space"), errno.ENOBUFS),
    (OSError(errno.ENOMEM, "No memory"), errno.ENOMEM),
    (OSError(errno.EADDRNOTAVAIL, "Connect call failed ('10.0.0.7', 8443)"), errno.EADDRNOTAVAIL),
    (caused(OSError("All connection attempts failed"), OSError(errno.EMFILE, "")), errno.EMFILE),
    (
        caused(OSError("All attempts failed"), ExceptionGroup("several", [OSError(errno.EADDRNOTAVAIL, "10.0.0.7")])),
        errno.EADDRNOTAVAIL,
    ),
]


@pytest.mark.parametrize(("error", "number"), SHORTAGES)
@pytest.mark.parametrize("provider", [PROVIDER, PROXIED], ids=["direct", "proxied"])
def test_what_the_machine_lacks_is_not_the_providers_fault(provider, error, number):
    """Descriptors, memory and ports of its own, however deep the transport hides that."""
    fault = unreachable(provider, error)
    message = f"the gateway has no room for a connection to provider acme: {os.strerror(number)}"
    assert ("local", f"{message}; send the request again in a moment") == (fault.kind, fault.message)


def test_a_name_is_looked_up_in_vain_without_descriptors():
    """The resolver does not tell why it found nothing, so that is tried."""
    error = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    with no_descriptors():
        fault = unreachable(PROVIDER, error)
    assert ("local", "connect") == (fault.kind, unreachable(PROVIDER, error).kind)
