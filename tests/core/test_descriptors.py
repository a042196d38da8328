"""How the descriptors of a process are shared out."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.descriptors import KEPT, OPERATIONS, OWN, TOLD, Shares, needed, shared

ALLOWED = st.integers(KEPT + 2, 1 << 20)
WANTED = st.integers(1, 1 << 20)


@given(ALLOWED, WANTED)
def test_all_shares_together_are_what_is_allowed(allowed, wanted):
    """However many of each are taken, none is missing for another use; nothing is left unused."""
    shares = shared(allowed, wanted)
    assert allowed - 1 <= shares.requests + shares.connections + shares.operations + OWN + 2 * TOLD <= allowed


@given(ALLOWED, WANTED)
def test_as_many_requests_are_let_in_as_are_wanted_and_fit(allowed, wanted):
    """Fewer only where those wanted do not fit; each has room for its connection."""
    shares = shared(allowed, wanted)
    assert (shares.requests == wanted) == (allowed >= needed(wanted))
    assert 1 <= shares.requests <= min(wanted, shares.connections)
    assert shares.operations >= OPERATIONS


def test_the_usual_limits():
    """The default of 10,000 requests on a large limit, on one that just fits, and on two that do not."""
    assert Shares(10_000, 50_893, 4_573, 65_436) == shared(65_536, 10_000)
    assert Shares(10_000, 10_000, 30, 20_000) == shared(20_100, 10_000)
    assert Shares(462, 462, 30, 924) == shared(1_024, 10_000)
    assert Shares(78, 78, 30, 156) == shared(256, 10_000)


def test_a_limit_that_is_next_to_none_lets_one_request_in():
    """The process may not even start with it; that is for it to say."""
    assert 1 == shared(20, 10_000).requests
