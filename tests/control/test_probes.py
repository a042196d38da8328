"""Who of a fleet may probe."""

from gateway.control.probes import Probes

PLACE = ("desk", "1.0.0")


def test_alone_everybody_may():
    """And nobody is told of a success."""
    probes = Probes()
    assert probes.may(PLACE, 0.0)
    probes.succeeded(PLACE, 1.0)
    assert (set(), "<Probes alone>") == (probes.take_asked(), repr(probes))


def test_in_a_fleet_who_holds_the_lease_may_until_it_is_over():
    """That it was wanted is remembered once; a lease that another has is none."""
    probes = Probes()
    probes.hold([], (), 0.0)
    assert not probes.may(PLACE, 0.0)
    assert ({PLACE}, set()) == (probes.take_asked(), probes.take_asked())
    probes.hold([PLACE], {PLACE}, 5.0)
    assert (True, False, "<Probes of 1 leases>") == (probes.may(PLACE, 4.9), probes.may(PLACE, 5.0), repr(probes))
    probes.forget(5.0)
    assert not list(probes.held)
    probes.hold([PLACE], {PLACE}, 9.0)
    probes.hold([PLACE], (), 9.0)
    assert not probes.may(PLACE, 6.0)
    probes.let_alone()
    assert probes.may(PLACE, 6.0)
