"""What a system under test stands in front of, and how requests reach it once it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench.processes import Process


@dataclass(frozen=True, slots=True)
class Setup:
    """One system's task: where its files go, the upstream's address without a path, and how many routes it has."""

    folder: Path
    upstream: str
    trusted: Path | None = None
    routes: int = 1
    streams: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go on loopback, and how they name a route: in the body's `model`, or in front of the path."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    routes: int = 1
    routes_by_path: bool = False

    def path(self, route: int) -> str:
        """Give the path of a request to a route."""
        prefix = f"/{route_name(route)}" if self.routes_by_path and self.routes > 1 else ""
        return f"{prefix}/v1/chat/completions"


@dataclass(slots=True)
class Subject:
    """A system that runs: `process` is None for the upstream itself, asked directly."""

    name: str
    address: Address
    process: Process | None
    seconds_to_ready: float = 0.0


def route_name(number: int) -> str:
    """Name a route: the model that requests ask for."""
    return f"desk-{number}"
