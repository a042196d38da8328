"""The quick comparison with the baseline."""

import pytest

from loadtests.bench.regression import COMPARED, MOST_NOISE, compare, measured_ratios

BASELINE = {name: [0.95, 1.0, 1.05] for name in COMPARED}


def now(*values: float) -> dict[str, list[float]]:
    """The same ratios for all that is compared."""
    return {name: list(values) for name in COMPARED}


@pytest.mark.parametrize(
    ("values", "worse"),
    [
        ((0.5, 0.5, 0.5), False),
        ((1.0, 1.0, 1.0), False),
        ((1.14, 1.14, 1.14), False),
        ((1.16, 1.16, 1.16), True),
        ((1.0, 1.2, 1.4), False),
        ((0.2, 2.0, 3.8), True),
    ],
    ids=["better", "same", "within", "beyond", "noisy", "noise has an end"],
)
def test_worse_is_beyond_tolerance_and_noise(values, worse):
    """10 % and the larger spread of the two, of which 25 % count at most."""
    compared = compare(now(*values), BASELINE)
    assert len(COMPARED) == len(compared)
    assert {worse} == {one.worse for one in compared}
    assert all(one.noise <= MOST_NOISE for one in compared)


def test_without_a_baseline_nothing_is_worse():
    """The first run has nothing to be compared with."""
    assert [] == [one for one in compare(now(1.0), {}) if one.worse or one.limit]


def test_errors_are_a_regression_and_a_missing_peer_is_not():
    """What should have been measured and was not fails; a peer that is not installed is only told."""
    assert all(one.worse for one in compare({}, BASELINE))
    compared = compare({}, BASELINE, missing=["envoy"])
    assert [one.missing for one in compared] == [not one.worse for one in compared]


def test_ratios_are_pinions_cpu_to_the_peers():
    """By scenario and peer, one a round."""
    results = {
        "json-64": {
            "pinion": [{"cpu_us": 30.0, "errors": 0}],
            "nginx": [{"cpu_us": 20.0, "errors": 0}],
            "envoy": [{"cpu_us": 60.0, "errors": 1}],
        }
    }
    found = measured_ratios(results)
    assert [1.5] == found["request, to nginx's"]
    assert [] == found["request, to Envoy's"]
    assert [] == found["event, to nginx's"]
