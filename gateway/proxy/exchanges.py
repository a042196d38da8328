"""All requests under way: one tick looks after every deadline, and a drain ends what is left."""

from gateway.core.errors import NotFound
from gateway.core.head import Head
from gateway.core.ports import Downstream
from gateway.proxy.exchange import Exchange
from gateway.proxy.surroundings import Surroundings
from gateway.wire.endpoint import find


class Exchanges:
    """The open exchanges of one process."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self._open: set[Exchange] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __repr__(self) -> str:
        return f"<Exchanges {len(self._open)} open>"

    @property
    def max_body(self) -> int:
        """The largest request body, in bytes."""
        return self.around.limits.max_body

    def governs(self, path: str) -> bool:
        """Say whether a raw path is a governed endpoint."""
        return find(path) is not None

    def open(self, downstream: Downstream, head: Head) -> Exchange:
        """Begin an exchange; whoever drives it hands it back with `close`.

        Raises:
            NotFound: the path is not governed.
        """
        endpoint = find(head.path)
        if endpoint is None:
            raise NotFound(f"{head.path} is not a governed endpoint")
        exchange = Exchange(self.around, downstream, endpoint, head, len(self._open))
        self._open.add(exchange)
        return exchange

    def close(self, exchange: Exchange) -> None:
        """Forget an exchange; one that has not ended has lost its client."""
        exchange.client_gone()
        self._open.discard(exchange)

    def tick(self, now: float) -> None:
        """Look at every deadline; a few times a second is enough."""
        self.around.lingering.tick(now)
        for exchange in tuple(self._open):
            exchange.tick(now)

    def drain(self) -> None:
        """End every open exchange with a clear word."""
        for exchange in tuple(self._open):
            exchange.drain()
