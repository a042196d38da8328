"""The units of an experiment's arms."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.arm_units import ArmUnits

METRICS = ("error_rate", "feedback.resolved")


def digest(number):
    """The digest of a unit."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.floats(0, 9)), max_size=100))
def test_sums_do_not_depend_on_the_pieces_they_come_in(pieces):
    """Each unit's requests and sums are those of all its pieces."""
    units = ArmUnits(METRICS)
    for unit, requests, amount in pieces:
        units.add(digest(unit), "a", requests, 1, {0: amount, 1: float(requests)})
    assert len({unit for unit, _, _ in pieces}) == len(units)
    rows = list(units.of("a"))
    assert sum(requests for _, requests, _ in pieces) == sum(row.requests for row in rows)
    assert len(pieces) == sum(row.elsewhere for row in rows)
    assert abs(sum(amount for _, _, amount in pieces) - sum(x for x, _ in units.ratios("a", "error_rate"))) < 1e-6


def test_a_unit_in_two_arms_belongs_to_neither():
    """It is counted, once, and what comes of it later is passed over."""
    units = ArmUnits(METRICS)
    for arm in ("a", "b", "a", "b"):
        units.add(digest(1), arm, 1, 0, {})
    units.add(digest(2), "b", 1, 0, {})
    assert (1, [], 1) == (units.torn, list(units.of("a")), sum(1 for _ in units.of("b")))


def test_feedback_alone_makes_no_unit_of_an_arm():
    """A word on a request from before the experiment's time has no request to stand for."""
    units = ArmUnits(METRICS)
    units.add(digest(1), "a", 0, 0, {2: 1.0, 3: 1.0})
    units.add(digest(2), "a", 1, 0, {})
    units.add(digest(2), "a", 0, 0, {2: 0.5, 3: 1.0})
    assert [(0.5, 1.0)] == list(units.ratios("a", "feedback.resolved"))


def test_too_many_units_leave_a_fair_sample_of_whole_ones():
    """One in two, then in four: those that stay have all of their requests, in both arms alike."""
    units = ArmUnits(METRICS, most=1_000)
    for _ in range(3):
        for number in range(3_000):
            units.add(digest(number), "ab"[number % 2], 1, 0, {})
    units.add(digest(0), "b", 1, 0, {})
    assert 4 == units.one_in
    assert {3} == {row.requests for arm in "ab" for row in units.of(arm)}
    sides = [sum(1 for _ in units.of(arm)) for arm in "ab"]
    assert 600 < sum(sides) < 900
    assert abs(sides[0] - sides[1]) < 100


def test_torn_units_take_room_too():
    """However the units lie, no more are held than that."""
    units = ArmUnits(METRICS, most=100)
    for number in range(2_000):
        for arm in "ab":
            units.add(digest(number), arm, 1, 0, {})
    assert units.torn <= 100
    assert 0 == len(units)
