"""The registry as rows: what is written is read back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.registry_rows import (
    deployment_from,
    deployment_row,
    entry_row,
    standing_from,
    standing_row,
)
from gateway.core.deployment import Deployment
from gateway.core.lifecycle import Lifecycle
from gateway.core.review import Review
from gateway.core.standing import KINDS, Entry, Standing
from tests.adapters.store_records import STANDING

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TIMES = st.floats(0, 4e9)
STANDINGS = st.builds(
    Standing,
    kind=st.sampled_from(KINDS),
    name=NAMES,
    version=NAMES,
    digest=NAMES,
    facts_digest=NAMES,
    registered_at=TIMES,
    author=NAMES | st.none(),
    review=st.sampled_from(Review),
    lifecycle=st.sampled_from(Lifecycle),
    changed_at=TIMES,
    reason=NAMES,
    deprecated_at=TIMES | st.none(),
    retire_at=TIMES | st.none(),
    successor=NAMES | st.none(),
    revision=st.integers(1, 2**31 - 1),
)


@given(STANDINGS)
def test_where_a_version_stands_is_read_back(standing):
    """Every field, by its own name; words of the review and the life as text."""
    row = standing_row(standing)
    assert set(Standing.__dataclass_fields__) == set(row)
    assert standing == standing_from(row)
    assert (str, str) == (type(row["review"]), type(row["lifecycle"]))


def test_an_entry_is_written_as_the_bytes_that_its_digest_covers():
    """Its content canonical, its facts as JSON, beside where it stands."""
    row = entry_row(Entry("model", "m", "1", {"b": 1.0, "a": "ü"}, {"owner": "ada"}), STANDING)
    assert ('{"a":"ü","b":1}'.encode(), {"owner": "ada"}) == (row["content"], row["facts"])
    assert standing_row(STANDING) == {name: row[name] for name in standing_row(STANDING)}


@pytest.mark.parametrize("until", [None, 9.0])
def test_a_deployment_is_read_back(until):
    """One that lasts, and one that has ended."""
    one = Deployment("default", "desk", "1.0.0", "stable", "d", 1.5, "first", "policy", until)
    assert one == deployment_from(deployment_row(one))


def test_what_no_database_can_hold_is_replaced():
    """A zero in a reason, which PostgreSQL refuses, and a lone surrogate, which no driver encodes."""
    reason = standing_row(replace(STANDING, reason="a\0b\ud800"))["reason"]
    assert "\0" not in reason
    reason.encode()
