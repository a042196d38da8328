"""Which names may stand in a metric's label: those that policies declare, and the latest that once did."""

from collections.abc import Collection, Iterable

OTHER = "other"
"""The label of every name that is not known."""


class KnownNames:
    """The names of one kind, bounded: of those no longer declared, the latest `remembered` ones are kept.

    A name is kept beyond its declaration because a counter must not go back while somebody still reads it.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._names: dict[str, None] = {}

    def declare(self, names: Iterable[str]) -> list[str]:
        """Take the names that are declared from now on; give those that are known no more."""
        declared = dict.fromkeys(names)
        former = [name for name in self._names if name not in declared]
        forgotten = former[: max(0, len(former) - self._remembered)]
        self._names = dict.fromkeys(former[len(forgotten) :]) | declared
        return forgotten

    def are(self, names: Collection[str]) -> bool:
        """Say whether these very names are known, so that declaring them would change nothing."""
        return len(names) == len(self._names) and all(map(self._names.__contains__, names))

    def label(self, name: str) -> str:
        """Give the name itself where it is known, `other` where not."""
        return name if name in self._names else OTHER
