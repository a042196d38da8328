"""Which release made which stored response, so that a follow-up returns to it. In memory and bounded."""

from collections.abc import Iterable

CAPACITY = 100_000


class FollowUps:
    """Response ids with the release version that made them, by route; the oldest are forgotten first."""

    def __init__(self, known: Iterable[tuple[str, str, str]] = (), capacity: int = CAPACITY) -> None:
        """`known` gives (route, response id, release version), the newest last."""
        self._capacity = capacity
        self._versions: dict[tuple[str, str], str] = {}
        for route, response_id, version in known:
            self.remember(route, response_id, version)

    def remember(self, route: str, response_id: str, version: str) -> None:
        """Note who made a response."""
        self._versions[route, response_id] = version
        if len(self._versions) > self._capacity:
            del self._versions[next(iter(self._versions))]

    def release_of(self, route: str, response_id: str) -> str | None:
        """Give the version that made a response, or None when it is not known."""
        return self._versions.get((route, response_id))

    def __repr__(self) -> str:
        return f"<FollowUps {len(self._versions)} of {self._capacity}>"
