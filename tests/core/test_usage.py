"""The normalised usage: what is taken for known, and what is not."""

import pytest

from gateway.core.usage import Usage


def test_parts_that_were_not_sent_count_nothing():
    """A provider that leaves out a part, or sends null for it, has used none of it."""
    assert Usage(input_tokens=7, output_tokens=3) == Usage.checked(
        input_tokens=7, output_tokens=3, cached_input_tokens=None
    )


def test_every_part_is_kept():
    """All counts, the tier and the speed arrive as they were sent."""
    everything = {
        "input_tokens": 100,
        "output_tokens": 50,
        "cached_input_tokens": 60,
        "cache_write_tokens": 20,
        "cache_write_1h_tokens": 5,
        "reasoning_tokens": 30,
        "audio_input_tokens": 2,
        "audio_output_tokens": 1,
        "web_searches": 4,
        "service_tier": "priority",
        "speed": "fast",
    }
    assert Usage(**everything) == Usage.checked(**everything)


@pytest.mark.parametrize("total", ["input_tokens", "output_tokens"])
def test_a_missing_total_is_unknown_and_not_zero(total):
    """Without one of the two totals nothing can be said about an answer's cost."""
    counts = {"input_tokens": 1, "output_tokens": 1} | {total: None}
    assert Usage.checked(**counts) is None


@pytest.mark.parametrize("wrong", [-1, 1.0, "7", True, 1 << 60, [1], {}])
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "reasoning_tokens"])
def test_a_value_that_is_no_count_makes_the_usage_unknown(name, wrong):
    """A provider's nonsense raises nothing and is priced as nothing: it is unknown."""
    assert Usage.checked(**({"input_tokens": 9, "output_tokens": 9} | {name: wrong})) is None


@pytest.mark.parametrize(
    "parts",
    [
        {"cached_input_tokens": 6, "cache_write_tokens": 5},
        {"cache_write_tokens": 3, "cache_write_1h_tokens": 4},
        {"reasoning_tokens": 11},
        {"audio_input_tokens": 11},
        {"audio_output_tokens": 11},
    ],
)
def test_a_part_larger_than_its_whole_makes_the_usage_unknown(parts):
    """Prices are taken of the rest, which would be negative."""
    assert Usage.checked(input_tokens=10, output_tokens=10, **parts) is None


def test_a_tier_or_speed_that_is_not_text_is_left_out():
    """The counts are still good when a label is not."""
    assert Usage(1, 2) == Usage.checked(input_tokens=1, output_tokens=2, service_tier=3, speed=["fast"])
