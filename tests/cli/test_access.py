"""`pinion access review`."""

import json


def test_the_review_is_told(as_operator):
    """The unused grants first, then operators and applications."""
    told = as_operator("access", "review").stdout
    assert told.startswith("unused grants  not used for 90 days, or ever\n")
    assert told.index("unused grants") < told.index("\noperators\n") < told.index("\napplications\n")


def test_the_review_is_json_where_it_is_asked_for(as_operator):
    """What the gateway answers."""
    told = json.loads(as_operator("access", "review", "--json").stdout)
    assert {"at", "stale_days", "operators", "apps"} == set(told)
