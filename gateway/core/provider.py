"""A provider: one upstream API with its dialect, its credential and its limits."""

from dataclasses import dataclass, field
from typing import Literal

DialectName = Literal["openai", "anthropic", "gemini"]

TransportName = Literal["native", "httpx"]

PUBLIC_BASE_URL: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
}
"""Where each dialect is spoken in public, written as its own SDK takes it: OpenAI with /v1, Anthropic without."""


SHORTEST_SECRET = 8
"""A credential of fewer bytes is not looked for in what a provider says: it would be found by chance."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Four separate deadlines of one attempt, in seconds.

    `first_byte` runs from sending until the first byte of the answer's body, `idle` between two pieces of it, `total`
    over the whole attempt.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What Pinion shows a provider: one header. `source` says where it came from (`env:NAME`, `file:PATH`)."""

    source: str
    header: bytes
    value: bytes = field(repr=False)

    @property
    def secret(self) -> bytes:
        """What of it nobody may see, its scheme aside; empty where it is too short to be told from words."""
        secret = self.value.rpartition(b" ")[2]
        return secret if len(secret) >= SHORTEST_SECRET else b""

    def is_quoted_in(self, text: bytes) -> bool:
        """Say whether a text holds the secret, as it is or with its slashes escaped as JSON allows."""
        secret = self.secret
        return bool(secret) and (secret in text or secret in text.replace(b"\\/", b"/"))


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What Pinion shows a provider that asks who connects: paths of a certificate chain and its key, as PEM."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One upstream API.

    `retries` counts further attempts of a stable release on connection errors and 5xx before the first byte.
    `ca_file`, `client_certificate`, `proxy` and `http2` are how it is reached; None means the system's certificates,
    none of Pinion's own, and no proxy. `transport` names what carries the calls: the native one speaks HTTP/1.1
    directly, and httpx does what that one does not: proxies, HTTP/2, client certificates.
    """

    name: str
    dialect: DialectName
    base_url: str
    credential: Credential | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 1
    max_connections: int = 1000
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    transport: TransportName = "native"
    http2: bool = False
    client_certificate: ClientCertificate | None = None

    @property
    def secret(self) -> bytes:
        """The secret of its credential; empty where there is none to be looked for."""
        return b"" if self.credential is None else self.credential.secret

    def is_quoted_in(self, text: bytes) -> bool:
        """Say whether a text holds the secret of its credential."""
        return self.credential is not None and self.credential.is_quoted_in(text)
