"""How a provider is reached: address, certificates, proxy, limit. Calls that agree on all of it share connections."""

import ssl
from dataclasses import dataclass, field
from functools import cache

from gateway.core.provider import ClientCertificate, Provider


@dataclass(frozen=True, slots=True)
class Way:
    """One way to one provider; `max_connections` is how many connections it may have at once."""

    name: str
    base_url: str
    ca_file: str | None
    client_certificate: ClientCertificate | None
    proxy: str | None = field(repr=False)
    http2: bool
    max_connections: int

    @classmethod
    def to(cls, provider: Provider) -> "Way":
        """Read the way from a provider."""
        return cls(
            provider.name,
            provider.base_url,
            provider.ca_file,
            provider.client_certificate,
            provider.proxy,
            provider.http2,
            provider.max_connections,
        )

    def tls(self) -> ssl.SSLContext:
        """Make the TLS settings of this way; certificates are verified, and names too.

        Raises:
            OSError: its certificates cannot be read.
        """
        if self.ca_file is None and self.client_certificate is None and not self.http2:
            return _system_tls()  # shared, so never with HTTP/2, which httpcore2 would have it offer to everyone
        context = _system_context() if self.ca_file is None else _trusting(self.ca_file)
        if self.client_certificate is not None:
            _show(context, self.client_certificate)
        return context


@cache
def _system_tls() -> ssl.SSLContext:
    """The system's certificates, read once because that takes long."""
    return _system_context()


def _system_context() -> ssl.SSLContext:
    import httpx2  # noqa: PLC0415 - its look for the system's certificates is needed by few of the ways

    return httpx2.create_ssl_context(trust_env=False)


def _trusting(ca_file: str) -> ssl.SSLContext:
    """Trust the authorities in a file and no others."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise OSError(f"its ca_file {ca_file} has no readable certificates ({error})") from error


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Have a context show a certificate of Pinion's own."""
    try:
        context.load_cert_chain(certificate.cert, certificate.key, password="")  # or OpenSSL asks the terminal for one
    except OSError as error:
        raise OSError(f"its client certificate {certificate.cert} cannot be read with its key ({error})") from error
