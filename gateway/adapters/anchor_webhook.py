"""An anchor that is a webhook: each checkpoint is sent as Standard Webhooks say, to the public internet alone.

Whoever names an address could name one inside: so it is the address of the connected peer that is looked at, after
names are resolved and before a byte is sent, and a redirect is an answer like any other that is not 2xx.
"""

import json
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import anyio
import httpcore2
from standardwebhooks import Webhook

from gateway.core.address import is_public
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault, SetupFault
from gateway.core.ports import Clock

SEND_SECONDS = 10.0

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


class WebhookAnchor:
    """The port `Anchor` over one URL, `https://...`. What it sends is signed with a secret that both sides have."""

    def __init__(
        self,
        url: str,
        secret: str,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        is_allowed: Callable[[str], bool] = is_public,
        patience: float = SEND_SECONDS,
    ) -> None:
        """`secret` is one of Standard Webhooks, `whsec_` and base64; `is_allowed` says which IP addresses are called.

        `patience` is how many seconds an answer may take.

        Raises:
            SetupFault: the URL or the secret is none.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None:
            raise SetupFault("--audit-anchor: a webhook is https://HOST/PATH, without a user or a password in it")
        try:
            self._webhook = Webhook(secret)
        except Exception as error:
            raise SetupFault("PINION_AUDIT_WEBHOOK_SECRET is no secret of a webhook: whsec_ and base64") from error
        self._url = url
        self._clock = clock
        self._tls = tls or ssl.create_default_context()
        self._is_allowed = is_allowed
        self._patience = patience
        self.name = f"https://{parts.hostname}"

    def __repr__(self) -> str:
        return f"WebhookAnchor({self.name!r})"

    async def send(self, checkpoint: Checkpoint) -> None:
        """Send a checkpoint; a repeated one has the id that it had, so that the receiver can tell."""
        try:
            with anyio.fail_after(self._patience):
                status = await self._post(checkpoint)
        except TimeoutError as error:
            raise AnchorFault(f"{self.name}: no answer within {self._patience:g} s") from error
        except _CLIENT_ERRORS as error:
            raise AnchorFault(f"{self.name}: {str(error) or type(error).__name__}") from error
        if not 200 <= status < 300:
            raise AnchorFault(f"{self.name}: answered {status}; a redirect is not followed")

    async def _post(self, checkpoint: Checkpoint) -> int:
        at = datetime.fromtimestamp(self._clock.wall(), UTC)
        data = {"origin": checkpoint.origin, "size": checkpoint.size, "note": checkpoint.note}
        body = json.dumps({"type": "audit.checkpoint", "timestamp": at.isoformat(), "data": data})
        message = f"audit_{checkpoint.size}_{checkpoint.root[:16]}"
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._webhook.sign(message, at, body),
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
