"""An application and what it may do."""

from gateway.core.app import ANYONE, App


def test_an_application_calls_its_routes():
    """None means every route, and an empty set none."""
    assert [True, False] == [App("a", frozenset({"desk"})).may_call(name) for name in ("desk", "other")]
    assert (True, False) == (App("a").may_call("desk"), App("a", frozenset()).may_call("desk"))


def test_anyone_may_all():
    """On loopback, where nobody else is."""
    assert (True, True, "local") == (ANYONE.may_call("desk"), ANYONE.may_force_release, ANYONE.name)


def test_an_application_may_not_force_unless_it_is_said():
    """The right is given by name."""
    assert not App("a").may_force_release
