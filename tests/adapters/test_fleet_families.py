"""What Prometheus reads of a fleet."""

from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from gateway.adapters.fleet_families import fleet_families
from gateway.core.fleet_reading import FleetReading


class _Told(Collector):
    def collect(self):
        return fleet_families(FleetReading(True, 3, None, {"ok": 7, "away": 0}, {"dropped": 2}, {"counted": 4}))


def test_a_reading_is_five_families():
    """Whether it is there, how many gateways are, and three counters by result."""
    lines = [line for line in generate_latest(_Told()).decode().splitlines() if not line.startswith("#")]
    assert [
        "pinion_fleet_up 1.0",
        "pinion_fleet_replicas 3.0",
        'pinion_fleet_commands_total{result="away"} 0.0',
        'pinion_fleet_commands_total{result="ok"} 7.0',
        'pinion_fleet_messages_total{result="dropped"} 2.0',
        'pinion_fleet_hand_overs_total{result="counted"} 4.0',
    ] == lines
