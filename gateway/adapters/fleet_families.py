"""What Prometheus reads of a fleet; without `--fleet` there is nothing of it."""

from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.core.fleet_reading import FleetReading


def fleet_families(reading: FleetReading) -> Iterator[Metric]:
    """Give a reading as families of metrics."""
    up = GaugeMetricFamily("pinion_fleet_up", "1 while the fleet bus is there, else 0.")
    up.add_metric((), reading.is_up)
    replicas = GaugeMetricFamily("pinion_fleet_replicas", "Gateways of this fleet that have been heard of lately.")
    replicas.add_metric((), reading.replicas)
    yield from (up, replicas)
    yield _counted("pinion_fleet_commands", "Round trips to the fleet bus, by how they ended.", reading.commands)
    yield _counted("pinion_fleet_messages", "Messages of other gateways, by what came of them.", reading.messages)
    told = "Hand-overs of evidence, said and heard, by what came of them."
    yield _counted("pinion_fleet_hand_overs", told, reading.hand_overs)


def _counted(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=("result",))
    for result, count in sorted(counts.items()):
        family.add_metric((result,), count)
    return family
