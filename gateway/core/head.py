"""A request's head, as an edge has received it."""

from dataclasses import field
from itertools import chain

from gateway.core.value import value


@value
class Head:
    """Method, raw path, query without its question mark, and header fields with lower-case names.

    `first` gives the first value under each name. `counted` is how many bytes the head takes where its edge knows.
    """

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    counted: int | None = field(default=None, repr=False, compare=False)
    first: dict[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", dict(reversed(self.headers)))

    def size(self) -> int:
        """How many bytes the head takes, counted as its lines on the wire."""
        if self.counted is not None:
            return self.counted
        fields = sum(map(len, chain.from_iterable(self.headers)))
        return len(self.path) + len(self.query) + fields + len(b": \r\n") * len(self.headers)
