"""What an answer cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.price import UNKNOWN_COST, Cost, NoPrice, Price
from gateway.core.usage import Usage

FULL = Price(2.5, 10.0, cached_input=1.25, cache_write=3.125, cache_write_1h=5.0)


@pytest.mark.parametrize(
    ("price", "usage", "nano_usd"),
    [
        (Price(2.5, 10.0), Usage(0, 0), 0),
        (Price(2.5, 10.0), Usage(1000, 100), 3_500_000),
        (FULL, Usage(1000, 0, cached_input_tokens=400), 2_000_000),
        (Price(2.5, 10.0), Usage(1000, 0, cached_input_tokens=400), 2_500_000),
        (FULL, Usage(1000, 0, cache_write_tokens=400), 2_750_000),
        (FULL, Usage(1000, 0, cache_write_tokens=400, cache_write_1h_tokens=100), 2_937_500),
        (
            Price(2.5, 10.0, cache_write=3.125),
            Usage(1000, 0, cache_write_tokens=400, cache_write_1h_tokens=100),
            2_750_000,
        ),
        (Price(2.5, 10.0), Usage(1000, 0, cache_write_tokens=400), 2_500_000),
        (Price(0.0, 0.0), Usage(1000, 1000), 0),
        (Price(0.075, 0.3), Usage(1, 1), 375),
    ],
)
def test_each_part_is_charged_at_its_own_rate(price, usage, nano_usd):
    """Dollars per million tokens; a rate that is left out is the one it is a part of."""
    assert Cost(nano_usd, "exact") == price.cost(usage, at=0.0)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(10, 0, cached_input_tokens=11),
        Usage(10, 0, cached_input_tokens=6, cache_write_tokens=5),
        Usage(10, 0, cache_write_tokens=2, cache_write_1h_tokens=3),
    ],
)
def test_counts_that_do_not_fit_cost_an_unknown_amount(usage):
    """Never a negative one."""
    assert UNKNOWN_COST == FULL.cost(usage, at=0.0)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_caching_never_costs_more_than_plain_input_when_its_rate_is_lower(plain, cached, output):
    """The parts lie inside the whole."""
    usage = Usage(plain + cached, output, cached_input_tokens=cached)
    assert FULL.cost(usage, 0.0).nano_usd <= Price(2.5, 10.0).cost(usage, 0.0).nano_usd


def test_no_price_is_no_cost():
    """Unknown, and not zero."""
    assert UNKNOWN_COST == NoPrice().cost(Usage(1, 1), at=0.0)
    assert (None, None) == (UNKNOWN_COST.usd, UNKNOWN_COST.nano_usd)


def test_a_cost_in_dollars():
    """Billionths are what is counted."""
    assert 0.0035 == Cost(3_500_000, "exact").usd
