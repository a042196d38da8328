"""What Prometheus reads of the store: whether it is there, and what waits to be kept in it or beyond it."""

from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily


def store_families(*, is_away: bool, unrecorded: int, unanchored: Mapping[str, int]) -> Iterator[Metric]:
    """Give the state of the store, the acts that it does not have yet, and the checkpoints that wait, by anchor."""
    up = GaugeMetricFamily("pinion_store_up", "1 while the store can be read, else 0.")
    up.add_metric((), not is_away)
    acts = GaugeMetricFamily("pinion_unrecorded_acts", "Acts that hold and are not in the store yet.")
    acts.add_metric((), unrecorded)
    checkpoints = GaugeMetricFamily(
        "pinion_checkpoints_waiting", "Checkpoints of the audit trail that have not arrived.", labels=("anchor",)
    )
    for anchor, number in unanchored.items():
        checkpoints.add_metric((anchor,), number)
    yield from (up, acts, checkpoints)
