"""Posts messages as Standard Webhooks say: signed, to the public internet alone.

Whoever names an address could name one inside: so it is the address of the connected peer that is looked at, after
names are resolved and before a byte is sent, and a redirect is an answer like any other that is not 2xx.
"""

import base64
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import anyio
import httpcore2
from standardwebhooks import Webhook

from gateway.core.address import is_loopback, is_public
from gateway.core.errors import DeliveryFault, SetupFault
from gateway.core.notification import Message
from gateway.core.ports import Clock

SEND_SECONDS = 10.0

LEAST_SECRET_BYTES = 24
"""As Standard Webhooks ask: who knows the receiver's address must not guess what it trusts."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix alone

_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
"""The last part of a host that is an address, in whatever form a resolver takes it: `127.1`, `0x7f000001`."""

_CLIENT_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    OSError,
    ValueError,
)


class _NotThere(OSError):
    """The peer is at an address that is not called."""


class _CheckedNetwork(httpcore2.AnyIOBackend):
    """Opens connections, and refuses those at once whose peer is at an address that is not allowed."""

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_allowed = is_allowed
        self._opened: list[httpcore2.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the base has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return self._checked(await super().connect_tcp(host, port, timeout, local_address, socket_options))

    def _checked(self, stream: httpcore2.AsyncNetworkStream) -> httpcore2.AsyncNetworkStream:
        self._opened.append(stream)
        peer = str(stream.get_extra_info("server_addr")[0])
        if not self._is_allowed(peer):
            raise _NotThere(f"{peer} is not an address of the public internet")
        return stream

    async def aclose(self) -> None:
        """Close every connection, also one that the pool has lost in the middle of its handshake."""
        with anyio.CancelScope(shield=True):
            for stream in self._opened:
                await stream.aclose()


@dataclass(frozen=True, slots=True)
class Named:
    """How people name a place to post to: the option that has its URL, and the variable that has its secret."""

    option: str
    variable: str


class SignedPost:
    """One URL, `https://...`, and the secrets that it shares with whoever receives there."""

    def __init__(
        self,
        url: str,
        secrets: str | None,
        clock: Clock,
        named: Named,
        *,
        tls: ssl.SSLContext | None = None,
        is_allowed: Callable[[str], bool] = is_public,
        patience: float = SEND_SECONDS,
    ) -> None:
        """`secrets` are of Standard Webhooks, `whsec_` and base64; of several with blanks between, each signs.

        `is_allowed` says which IP addresses are called, `patience` how many seconds an answer may take.

        Raises:
            SetupFault: the URL or a secret is none, or the URL names an address that is not called. Nothing of either
                is repeated, but the host.
        """
        parts = _parts(url, named)
        self.host = parts.hostname or ""
        _expect_outside(self.host, is_allowed, named)
        self._webhooks = [_webhook(secret, named) for secret in (secrets or "").split()]
        if not self._webhooks:
            raise SetupFault(f"{named.option}: a webhook needs a secret; set {named.variable}")
        self._url = url
        self._clock = clock
        self._tls = tls or ssl.create_default_context()
        self._is_allowed = is_allowed
        self._patience = patience
        self.name = f"https://{self.host}"

    def __repr__(self) -> str:
        return f"SignedPost({self.name!r})"

    async def post(self, message: Message) -> None:
        """Post a message, signed at this moment.

        Raises:
            DeliveryFault: it was not taken, as far as is known; the text begins with the host.
        """
        try:
            with anyio.fail_after(self._patience):
                status = await self._post(message)
        except TimeoutError as error:
            raise DeliveryFault(f"{self.name}: no answer within {self._patience:g} s") from error
        except _CLIENT_ERRORS as error:
            raise DeliveryFault(f"{self.name}: {str(error) or type(error).__name__}") from error
        if not 200 <= status < 300:
            raise DeliveryFault(f"{self.name}: answered {status}; a redirect is not followed", status)

    async def _post(self, message: Message) -> int:
        body = message.body
        at = datetime.fromtimestamp(self._clock.wall(), UTC)
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(webhook.sign(message.id, at, body) for webhook in self._webhooks),
        }
        network = _CheckedNetwork(self._is_allowed)
        try:
            async with (
                httpcore2.AsyncConnectionPool(ssl_context=self._tls, network_backend=network) as pool,
                pool.stream("POST", self._url, headers=headers, content=body.encode()) as response,
            ):
                return int(response.status)
        finally:
            await network.aclose()


def _parts(url: str, named: Named) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_fine = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine or not (url.isascii() and url.isprintable()) or parts.scheme != "https" or "@" in parts.netloc:
        raise SetupFault(f"{named.option}: a webhook is https://HOST/PATH, without a user or a password in it")
    return parts


def _expect_outside(host: str, is_allowed: Callable[[str], bool], named: Named) -> None:
    """Refuse at the start what need not be resolved to know that it is never called."""
    name = host.rstrip(".").lower()
    is_address = ":" in name or _NUMBER.fullmatch(name.rpartition(".")[2]) is not None
    if (is_address and not is_allowed(name)) or (is_loopback(name) and not is_allowed("127.0.0.1")):
        raise SetupFault(f"{named.option}: {host} is not an address of the public internet; webhooks go there alone")


def _webhook(secret: str, named: Named) -> Webhook:
    text = secret.removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if text == secret or len(key) < LEAST_SECRET_BYTES:
        raise SetupFault(
            f"{named.variable} is no secret of a webhook: whsec_ and {LEAST_SECRET_BYTES} bytes or more in base64"
        )
    return Webhook(key)
