"""What Prometheus reads of what a gateway has in hand at this moment, counted when somebody looks."""

import asyncio
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily


class Connected(Protocol):
    """What has connections to providers."""

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, and how many of them carry nothing."""
        ...


class Late(Protocol):
    """What knows of the event loop's lag."""

    @property
    def longest(self) -> float:
        """The longest lately, in seconds."""
        ...


def load_families(requests: Sized, upstreams: Iterable[Connected], lag: Late) -> Iterator[Metric]:
    """Give the requests under way, the connections to providers, the loop's tasks and lag; on the event loop alone."""
    open_requests = GaugeMetricFamily("pinion_open_requests", "Requests under way.")
    open_requests.add_metric((), len(requests))
    sizes = [upstream.connections for upstream in upstreams]
    idle = sum(size[1] for size in sizes)
    connections = GaugeMetricFamily(
        "pinion_upstream_connections", "Connections to providers, by whether a call has them.", labels=("state",)
    )
    connections.add_metric(("busy",), sum(size[0] for size in sizes) - idle)
    connections.add_metric(("idle",), idle)
    tasks = GaugeMetricFamily("pinion_tasks", "Tasks of the event loop.")
    tasks.add_metric((), len(asyncio.all_tasks()))
    late = GaugeMetricFamily("pinion_loop_lag_seconds", "The longest that the serving loop was late, lately.")
    late.add_metric((), lag.longest)
    yield from (open_requests, connections, tasks, late)
