"""What is computed of an open loop's timings."""

from loadtests.bench.latencies import with_added
from loadtests.bench.open_loop import Timings

TIMINGS = Timings(
    due=[0.0, 0.1, 0.2, 0.3, 0.4],
    latency_ms=[1.0, 9.0, 2.0, 3.0, 4.0],
    answered=[0.001, 0.109, 0.202, 0.303, 0.404],
)


def test_percentiles_are_of_the_requests_due_between_two_moments():
    """Without any the percentile is 0."""
    assert 3.0 == TIMINGS.percentile(50)
    assert 9.0 == TIMINGS.percentile(99)
    assert 4.0 == TIMINGS.percentile(99, 0.2, 0.5)
    assert 0.0 == TIMINGS.percentile(99, 7)


def test_the_longest_gap_is_between_two_answers():
    """In ms, whatever order answers came in."""
    assert 108 == round(TIMINGS.longest_gap_ms())
    assert 0.0 == Timings().longest_gap_ms()


def test_what_is_added_is_the_difference_in_the_same_round():
    """Directly nothing is added."""
    series = {
        "direct": [{"p50_ms": 1.0, "p99_ms": 2.0}, {"p50_ms": 2.0, "p99_ms": 9.0}],
        "pinion": [{"p50_ms": 1.5, "p99_ms": 4.0}, {"p50_ms": 2.25, "p99_ms": 10.0}],
    }
    added = with_added(series)
    assert [0.5, 0.25] == [sample["added_p50_ms"] for sample in added["pinion"]]
    assert [2.0, 1.0] == [sample["added_p99_ms"] for sample in added["pinion"]]
    assert [0.0, 0.0] == [sample["added_p99_ms"] for sample in added["direct"]]
