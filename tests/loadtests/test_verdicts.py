"""The figures that Pinion is held to."""

import pytest

from loadtests.bench.verdicts import FIGURES, Figure, verdicts


def sample(**figures: float) -> list[dict[str, float]]:
    """One round without errors."""
    return [{**figures, "errors": 0}]


MEASURED = {
    "json-64": {
        "pinion": sample(cpu_us=40, p99_ms=5),
        "nginx": sample(cpu_us=20, p99_ms=2),
        "envoy": sample(cpu_us=50, p99_ms=4),
        "vllm-router": sample(cpu_us=60, p99_ms=7),
        "litellm": sample(cpu_us=8000, p99_ms=1500),
    },
    "tls": {"pinion": sample(per_second=20_000), "pinion tls": sample(per_second=15_000)},
    "routes": {"pinion": sample(per_second=20_000), "pinion 1000": sample(per_second=20_000)},
    "events": {"pinion": sample(cpu_us=18), "envoy": sample(cpu_us=20), "nginx": sample(cpu_us=15)},
    "paced": {"direct": sample(p50_ms=0.1, p99_ms=0.3), "pinion": sample(p50_ms=0.25, p99_ms=1.4)},
    "start": {"pinion": sample(memory_mb=100, seconds=1.5)},
    "waiting": {"pinion": sample(kb_per_stream=20)},
    "reload": {"quiet": sample(p99_ms=1), "reload": sample(p99_ms=13)},
}

EXPECTED = {
    "CPU per request, to Envoy's": (0.8, True, False),
    "CPU per request, to vllm-router's": (2 / 3, True, None),
    "CPU per request, to LiteLLM's": (0.005, True, None),
    "CPU per request, to nginx's": (2.0, None, False),
    "p99 at 64 connections, to Envoy's": (1.25, False, False),
    "throughput over a TLS upstream, to plain": (0.75, True, False),
    "CPU per streamed event, to Envoy's": (0.9, True, False),
    "CPU per streamed event, to nginx's": (1.2, True, False),
    "added latency at 1,000 requests/s, p50": (0.15, True, True),
    "added latency at 1,000 requests/s, p99": (1.1, True, False),
    "throughput with 1,000 routes, to 1": (1.0, True, True),
    "memory after start with 1,000 routes": (100, True, False),
    "memory of a waiting stream of 5,000": (20, True, True),
    "start to ready with 1,000 routes": (1.5, True, False),
    "p99 moved by a reload of 1,000 routes": (12, False, False),
}


def test_every_figure_is_computed_from_its_own_scenario():
    """Each measured value, and whether it keeps must and goal."""
    told = {one.name: (one.measured, one.meets_must, one.meets_goal) for one in verdicts(MEASURED)}
    assert set(EXPECTED) == set(told)
    for name, (measured, must, goal) in EXPECTED.items():
        assert (pytest.approx(measured), must, goal) == told[name], name


def test_what_was_not_measured_is_not_judged():
    """Without samples every figure is there, without a value and without a verdict."""
    told = verdicts({})
    assert len(FIGURES) == len(told)
    assert {(None, None, None)} == {(one.measured, one.meets_must, one.meets_goal) for one in told}


def test_a_limit_itself_is_kept():
    """At most means at most, for both directions."""
    less = Figure("less", "x", 1.0, None, lambda _: None)
    more = Figure("more", "x", 1.0, None, lambda _: None, more=True)
    assert [True, False] == [less.meets(1.0, value) for value in (1.0, 1.01)]
    assert [True, False] == [more.meets(1.0, value) for value in (1.0, 0.99)]


def test_a_goal_is_never_easier_than_what_must_be():
    """The table cannot contradict itself."""
    both = [one for one in FIGURES if one.must is not None and one.goal is not None]
    assert both
    for one in both:
        assert one.meets(one.must, one.goal), one.name
