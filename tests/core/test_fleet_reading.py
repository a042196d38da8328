"""How the fleet bus is, as it is told."""

from gateway.core.fleet_reading import FleetReading


def test_a_reading_is_told_as_json():
    """Whether it is there, how many gateways are, and since when it is away."""
    assert {"up": False, "replicas": 1, "away_since": 5.0} == FleetReading(False, 1, 5.0, {"ok": 1}).describe()
