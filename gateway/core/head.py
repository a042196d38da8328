"""A request's head, as an edge has received it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Head:
    """Method, raw path, query without its question mark, and header fields with lower-case names."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]] = field(repr=False)

    def size(self) -> int:
        """How many bytes the head takes, counted as its lines on the wire."""
        return len(self.path) + len(self.query) + sum(len(n) + len(v) + 4 for n, v in self.headers)
