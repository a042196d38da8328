"""The acts of the demo."""

import pytest

from gateway.cli.demo.acts import ACTS
from gateway.cli.demo.policies import PLANS
from gateway.cli.demo.promises import EXPECTED


def test_they_are_numbered_from_one():
    """Their numbers are what `--act` names."""
    assert [1, 2, 3] == [act.number for act in ACTS]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_an_act_can_be_played(act):
    """Its plan is there, it is known how its rollout must end, and its sentence fits a small terminal."""
    assert act.plan in PLANS
    assert act.release.version in EXPECTED
    assert len(act.sentence) <= 80
    assert bool(act.trouble) == bool(act.befalls)
