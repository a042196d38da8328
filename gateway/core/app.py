"""An application: who calls, which routes it may call, and what else it may do."""

from dataclasses import dataclass

from gateway.core.limit import Limit


@dataclass(frozen=True, slots=True)
class App:
    """One application. `routes` None means every route.

    `data_classes` are the classes of data that it sends, `segment` is whom it serves, `limits` how much it may use.
    """

    name: str
    routes: frozenset[str] | None = None
    may_force_release: bool = False
    owner: str | None = None
    data_classes: frozenset[str] = frozenset()
    segment: str | None = None
    limits: tuple[Limit, ...] = ()

    def may_call(self, route: str) -> bool:
        """Say whether this application may call `route`."""
        return self.routes is None or route in self.routes


ANYONE = App("local", None, may_force_release=True)
"""Who calls when no application is declared, which a loopback address alone allows."""
