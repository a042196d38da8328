"""How many retries a provider is sent: a share of the requests under way, so that one that fails is hardly asked more.

The counts are plain integers that each request adds itself to, and takes itself from when it ends, whatever its end.
"""

REQUESTS_PER_RETRY = 5
"""One retry under way to so many requests under way: 20 %, the budget that Envoy has by default."""

ALWAYS = 3
"""So many retries may be under way however few requests are, or a quiet route had none; as Envoy's."""


class RetryBudget:
    """What is under way here for one provider: requests to routes whose stable release it serves, and retries of them.

    Only stable releases are tried again, so these are all the requests that may come to a retry.
    """

    __slots__ = ("requests", "retries")

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries} retries of {self.requests} requests>"

    def has_room(self, *, in_place: bool) -> bool:
        """Say whether a retry may begin, `in_place` of one that has failed or beside all that are under way."""
        return self.retries - in_place < max(ALWAYS, self.requests // REQUESTS_PER_RETRY)
