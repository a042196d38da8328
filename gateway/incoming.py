"""What comes in, joined: the two APIs behind their sockets, and how much of it at once.

Beside `wiring`, which runs it, and `outgoing`: among the only places that join ports to adapters.
"""

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gateway.adapters.edge_guard import Limits, guarded
from gateway.adapters.edge_protocol import driving
from gateway.adapters.listener import Listener
from gateway.core.descriptors import ENOUGH, TOLD, needed, shared
from gateway.core.ports import Exchanges, Journal
from gateway.settings import Settings


class Incoming:
    """The listeners of one gateway. `requests` is how many of applications may be under way at once."""

    def __init__(self, settings: Settings, allowed: int, journal: Journal) -> None:
        """Share out the descriptors, of which the process may open `allowed`.

        The journal is told where those are far too few for the requests that the settings let be under way.
        """
        self._settings = settings
        self._shares = shared(allowed, settings.max_requests)
        self.requests = self._shares.requests
        if self.requests < ENOUGH * settings.max_requests:
            message = (
                f"this process may open {allowed} descriptors, and --max-requests {settings.max_requests} needs"
                f" {needed(settings.max_requests)}: {self.requests} requests are let in at once; raise the limit"
                " (ulimit -n, LimitNOFILE=, nofile), or lower --max-requests"
            )
            journal.event("few_descriptors", level="warning", message=message)

    def listeners(
        self,
        sockets: Sequence[socket.socket],
        applications: Any,
        operations: Any,
        exchanges: Exchanges,
        refused: Callable[[str], None],
    ) -> tuple[Listener, Listener]:
        """Make the listeners of two ASGI applications, each for its socket; governed requests are `exchanges`.

        `refused` counts, by a reason, what found no room.

        Raises:
            SetupFault: the certificate or its key cannot be read.
        """
        settings, shares = self._settings, self._shares
        turned_away = partial(refused, "connections")
        bounds = Limits(connections=shares.connections, told=TOLD, handshakes=shares.handshakes)
        edge = driving(exchanges, bounds, turned_away)
        desk = guarded(Limits(connections=shares.operations, told=TOLD), turned_away)
        front = Listener(applications, sockets[0], protocol=edge, cert=settings.tls_cert, key=settings.tls_key)
        return front, Listener(operations, sockets[1], protocol=desk)
