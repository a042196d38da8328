"""What access was used."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.access_use import AccessUse, day_of

USES = st.builds(
    AccessUse,
    st.dictionaries(st.sampled_from(["a", "b"]), st.floats(0, 1e9)),
    st.dictionaries(st.tuples(st.sampled_from(["ada", "bob"]), st.just("status.read")), st.integers(0, 30_000)),
)


def test_days_are_counted_in_utc():
    """From the first of 1970."""
    assert [0, 0, 1] == [day_of(now) for now in (0.0, 86_399.9, 86_400.0)]


@given(USES, USES)
def test_the_later_use_stands(one, other):
    """Of every key and every grant, whichever side knew it."""
    joined = one.joined(other)
    assert joined == other.joined(one)
    assert set(joined.keys) == {*one.keys, *other.keys}
    assert all(joined.keys[key] == max(each.keys.get(key, 0.0) for each in (one, other)) for key in joined.keys)
    assert all(joined.grants[key] == max(each.grants.get(key, 0) for each in (one, other)) for key in joined.grants)
    assert joined == joined.joined(one)
