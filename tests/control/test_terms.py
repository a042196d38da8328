"""The terms on which a process may serve."""

from gateway.control.terms import Terms


def test_the_terms_are_those_of_production_on_loopback_unless_said():
    """Served versions keep their content, and whoever is on this machine may call."""
    assert Terms(dev=False, open=True) == Terms()
