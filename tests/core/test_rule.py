"""A rule matches when all of its conditions hold."""

import pytest

from gateway.core.assignment import Facts
from gateway.core.bucket import Range, Salt
from gateway.core.rule import Rule
from gateway.core.unit import Unit

SALT = Salt("v1/flag")


def facts(unit="u-1"):
    """What a request of 100 characters with two headers shows of itself."""
    found = None if unit is None else Unit(unit, "body:user")
    return Facts("helpdesk", found, 100, {"x-beta": "1", "x-team": "a"}.get)


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"apps": frozenset({"helpdesk"})}, True),
        ({"apps": frozenset({"other"})}, False),
        ({"apps": frozenset()}, False),
        ({"units": frozenset({"u-1"})}, True),
        ({"units": frozenset({"u-2"})}, False),
        ({"headers": {"x-beta": "1"}}, True),
        ({"headers": {"x-beta": "1", "x-team": "a"}}, True),
        ({"headers": {"x-beta": "1", "x-team": "b"}}, False),
        ({"headers": {"x-none": "1"}}, False),
        ({"input_over": 99}, True),
        ({"input_over": 100}, False),
        ({"input_under": 101}, True),
        ({"input_under": 100}, False),
        ({"input_over": 99, "input_under": 101}, True),
        ({"share": Range(0, 1_000_000), "salt": SALT}, True),
        ({"share": Range(0, 0), "salt": SALT}, False),
        ({"apps": frozenset({"helpdesk"}), "units": frozenset({"u-2"})}, False),
    ],
    ids=repr,
)
def test_every_condition_must_hold(conditions, matches):
    """One that is left out always does; limits of length are exclusive."""
    assert matches == Rule("rule 1", "1.1.0", **conditions).matches(facts())


def test_a_share_is_of_units():
    """Those whose bucket it holds; a request without a unit is in none."""
    rule = Rule("rule 1", "1.1.0", share=Range(0, 200_000), salt=SALT)
    inside = [rule.matches(facts(f"u-{n}")) for n in range(1000)]
    assert inside == [SALT.bucket(f"u-{n}") < 200_000 for n in range(1000)]
    assert 130 < sum(inside) < 270
    assert not rule.matches(facts(None))


def test_a_list_of_units_holds_no_request_without_one():
    """None is nobody."""
    assert not Rule("rule 1", "1.1.0", units=frozenset({"u-1"})).matches(facts(None))
