"""What every exchange shares."""

from dataclasses import replace

from tests.proxy.playbook import Play, provider


def test_each_world_remembers_for_itself():
    """Two gateways in one process, as in a test, know nothing of each other."""
    first, second = Play().around, Play().around
    first.usage_asking.refused(provider())
    assert second.usage_asking.may_ask(provider())
    assert replace(first, limits=first.limits) == first
    assert first.limits == second.limits
