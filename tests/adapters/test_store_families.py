"""What Prometheus reads of the store."""

from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from gateway.adapters.store_families import store_families


class _Told(Collector):
    def __init__(self, **told):
        self.collect = lambda: store_families(**told)


def lines(**told) -> list[str]:
    """The samples, as they are scraped."""
    scraped = generate_latest(_Told(**told)).decode().splitlines()
    return [line for line in scraped if not line.startswith("#")]


def test_a_store_that_is_away_is_told_with_what_waits_for_it():
    """The gauge goes to 0 beside the acts that are not recorded; each anchor has its own number."""
    assert [
        "pinion_store_up 0.0",
        "pinion_unrecorded_acts 3.0",
        'pinion_checkpoints_waiting{anchor="file:/notes"} 2.0',
        'pinion_checkpoints_waiting{anchor="https://notes.test"} 0.0',
    ] == lines(is_away=True, unrecorded=3, unanchored={"file:/notes": 2, "https://notes.test": 0})


def test_a_store_that_is_there_is_one():
    """Zeros are told, too; where nothing is anchored there is no series of it."""
    assert ["pinion_store_up 1.0", "pinion_unrecorded_acts 0.0"] == lines(is_away=False, unrecorded=0, unanchored={})
