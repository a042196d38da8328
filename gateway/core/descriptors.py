"""How the file descriptors that a process may open are shared out, so that no one use of them starves another.

The law:

1. A request under way has two descriptors: its client's connection, and one to the provider.
2. What the process itself opens (store, ledger, fleet, files), the operations API, and the connections that are being
   told that there is no room have theirs, whatever strangers do.
3. What is left over goes to connections that have no request: nine parts to clients, one to the operations API.
"""

from dataclasses import dataclass

OWN = 50
"""For what the process itself opens; twice what was ever seen of one."""

OPERATIONS = 30
"""For connections to the operations API."""

TOLD = 10
"""For connections beyond the bound of one listener, while they are told so; there are two listeners."""

KEPT = OWN + OPERATIONS + 2 * TOLD

ENOUGH = 0.9
"""Which part of the requests that were asked for is as good as all: a common limit of 20,000 is not worth a warning."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many requests may be under way at once, and how many connections be open to each of the two APIs.

    `handshakes` is the number of a descriptor beyond which none is spent on a TLS handshake.
    """

    requests: int
    connections: int
    operations: int
    handshakes: int


def needed(requests: int) -> int:
    """How many descriptors it takes to have so many requests under way at once."""
    return 2 * requests + KEPT


def shared(allowed: int, wanted: int) -> Shares:
    """Share `allowed` descriptors out, where `wanted` requests are to be under way at once: as many, or what fits."""
    requests = max(1, min(wanted, (allowed - KEPT) // 2))
    spare = max(0, allowed - needed(requests))
    tenth = spare // 10
    return Shares(requests, requests + spare - tenth, OPERATIONS + tenth, allowed - KEPT)
