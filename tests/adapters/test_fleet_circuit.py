"""When the fleet bus is away, and what is said of it."""

import pytest

from gateway.adapters.fleet_circuit import LONGEST_PAUSE_SECONDS, FleetCircuit
from gateway.core.errors import FleetFault
from tests.adapters.clock_and_journal import Clock, Journal


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def circuit(journal, clock):
    return FleetCircuit("redis://r:1/0", journal, clock, lambda: 1.0)


def test_five_faults_in_a_row_are_an_absence(circuit, journal, clock):
    """A good answer between them begins the count anew; the journal has one line for each change."""
    for _ in range(4):
        circuit.bad("refused", is_timeout=False)
    circuit.good()
    for _ in range(4):
        circuit.bad("refused", is_timeout=False)
    circuit.check()
    circuit.bad("refused", is_timeout=False)
    circuit.bad("refused", is_timeout=False)
    with pytest.raises(FleetFault, match="redis://r:1/0 is away"):
        circuit.check()
    assert (100.0, "<FleetCircuit redis://r:1/0, away>") == (circuit.away_since, repr(circuit))
    clock.now = 103.0
    circuit.back()
    circuit.check()
    assert [
        ("fleet_away", "warning", {"fleet": "redis://r:1/0", "message": "refused"}),
        ("fleet_back", "info", {"fleet": "redis://r:1/0", "away_seconds": 3.0}),
    ] == journal.events


def test_one_timeout_is_an_absence(circuit, journal):
    """Whoever waits for a frozen server waits once."""
    circuit.bad("no answer", is_timeout=True)
    assert circuit.is_away
    assert 1 == len(journal.events)


def test_pauses_grow_while_absences_follow_on_one_another(circuit, clock):
    """Up to a limit; a minute of answers begins with the first again. Jitter takes up to half of it off."""
    circuit.bad("no answer", is_timeout=True)
    assert [0.5, 1.0, 2.0] == [circuit.pause() for _ in range(3)]
    circuit.back()
    circuit.bad("no answer", is_timeout=True)
    assert [4.0, 8.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS] == [circuit.pause() for _ in range(4)]
    circuit.back()
    clock.now += 61
    circuit.bad("no answer", is_timeout=True)
    assert 0.5 == circuit.pause()
    assert 0.5 == circuit.short_pause()


def test_jitter_keeps_gateways_apart(journal, clock):
    """From half of the pause to all of it."""
    circuit = FleetCircuit("redis://r", journal, clock, lambda: 0.0)
    assert (0.25, 0.5) == (circuit.pause(), circuit.pause())
