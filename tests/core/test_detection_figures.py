"""How soon a bad candidate is out, and how seldom a good one: the promised figures, by seeded simulation."""

import pytest

from tests.core.detection import PACES, Route, median_requests, report, rolled_back_share, rollout

EVERY_PACE = pytest.mark.parametrize("seconds", PACES.values(), ids=PACES)


@EVERY_PACE
def test_an_outage_is_out_at_the_third_failure(seconds: float):
    """A canary that fails all is out when its third failure has finished, whatever stable did before."""
    for warm_up in (0, 1000):
        route = Route(0.005, 1.0, seconds=seconds, warm_up=warm_up)
        assert {3} == {rollout(route, seed, most=10)[0] for seed in range(200)}


@EVERY_PACE
@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_one_failure_in_five_is_out_within_25(seconds: float, weight: float):
    """A canary failing 1 in 5 beside a stable release failing 0.5 % is out within 25 of its requests, in the median."""
    assert median_requests(Route(0.005, 0.2, weight, seconds), runs=200) <= 25


@pytest.mark.untraced
@pytest.mark.parametrize(("seconds", "runs"), [(1.0, 60), (0.05, 15), (10.0, 15)])
def test_an_equal_canary_stays(seconds: float, runs: int):
    """Of rollouts with 4,000 canary requests, both failing 0.5 %, at most 2 % are rolled back."""
    assert rolled_back_share(Route(0.005, 0.005, 0.8, seconds), runs) <= 0.02


def test_the_figures_can_be_printed():
    """The command writes a heading and a line for each pace."""
    assert 1 + len(PACES) == len(report(runs=1))
