"""What a process knows."""

from gateway.control.state import NOTHING, State
from gateway.core.admission import Governance
from gateway.core.recorded import Recorded, ServedVersion


def test_a_state_is_given_as_a_store_would_give_it():
    """At the epoch that it is said to be of; nothing is known at first."""
    assert Recorded(7, {}, governance=Governance()) == State().recorded(7)
    state = State(served={("model", "atlas", "1"): "ab" * 32})
    assert (ServedVersion("model", "atlas", "1", "ab" * 32),) == state.recorded(1).served
    assert ({}, "") == (NOTHING.routes, NOTHING.revision)
