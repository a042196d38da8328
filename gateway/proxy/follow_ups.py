"""Which release made which stored response, and for whom, so that a follow-up returns to it. In memory and bounded."""

from collections.abc import Iterable
from sys import intern

from gateway.core.errors import NotContinued

CAPACITY = 100_000

Made = tuple[str, str, str, str]
"""An application, a route, the id of a response, and the release version that made it."""


class FollowUps:
    """Response ids with the application, the route and the release that they belong to; the oldest go first.

    An id is the provider's, whose credential all applications share: it names one response, whichever route it is
    asked for by.
    """

    def __init__(self, known: Iterable[Made] = (), capacity: int = CAPACITY) -> None:
        """`known` gives responses, the newest last."""
        self._capacity = capacity
        self._made: dict[str, tuple[str, str, str]] = {}
        for app, route, response_id, version in known:
            self.remember(intern(app), intern(route), response_id, intern(version))  # as few texts as there are names

    def remember(self, app: str, route: str, response_id: str, version: str) -> None:
        """Note who made a response, and for which application."""
        self._made[response_id] = app, route, version
        if len(self._made) > self._capacity:
            del self._made[next(iter(self._made))]

    def release_of(self, app: str, route: str, response_id: str) -> str | None:
        """Give the version of a route that made a response, or None when it is not known.

        Raises:
            NotContinued: it was made for another application.
        """
        found = self._made.get(response_id)
        if found is None:
            return None
        owner, by_route, version = found
        if owner != app:
            raise NotContinued(response_id, route)
        return version if by_route == route else None

    def __repr__(self) -> str:
        return f"<FollowUps {len(self._made)} of {self._capacity}>"
