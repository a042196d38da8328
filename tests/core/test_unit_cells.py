"""At most so many outcomes of each unit."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.unit_cells import CAP, CELLS, DistinctUnits, UnitCells

units = st.lists(st.integers(0, (1 << 64) - 1), max_size=60)


def hashes(count: int, seed: int = 1) -> list[int]:
    """So many units' hashes."""
    rng = random.Random(seed)
    return [rng.getrandbits(64) for _ in range(count)]


def test_five_outcomes_of_a_unit_count():
    """The sixth does not, and another unit's do."""
    cells = UnitCells()
    assert [True] * 5 + [False] * 10 == [cells.take(7) for _ in range(15)]
    assert cells.take(8)
    assert 2 == cells.units


def test_nothing_is_kept_before_the_first_outcome():
    """A step without requests costs no memory."""
    cells = UnitCells()
    assert cells.cells is None
    assert 0 == cells.units


@pytest.mark.parametrize("count", [10, 1000, 20_000])
def test_distinct_units_are_counted_to_five_percent(count: int):
    """Whatever each of them does, and though units share cells."""
    cells = UnitCells()
    for unit in hashes(count):
        cells.take(unit)
        cells.take(unit)
    assert pytest.approx(count, rel=0.05) == cells.units


def test_a_long_busy_step_never_stops_taking_evidence():
    """Full cells start anew, and the units counted before stay counted."""
    cells, busy, seen = UnitCells(), hashes(12_000), 0
    for _ in range(30):
        assert 0 < sum(cells.take(unit) for unit in busy)
        assert cells.units >= seen
        seen = cells.units
    assert 1 <= cells.restarts
    assert pytest.approx(12_000, rel=0.05) == cells.units


def test_few_units_have_their_cap_for_the_whole_step():
    """Full cells start anew where most are full; three busy units stay three units' evidence."""
    cells = UnitCells()
    assert 15 == sum(cells.take(unit) for unit in (1, 2, 3) * 1000)
    assert 0 == cells.restarts


def test_between_restarts_no_unit_counts_more_than_its_cap():
    """Not even while all others are busy."""
    cells, busy = UnitCells(), hashes(20_000)
    mine, restarts = 0, 0
    for at, unit in enumerate(busy * 10):
        cells.take(unit)
        if at % 50 == 0:
            mine += cells.take(3)
        if cells.restarts > restarts:
            restarts, mine = cells.restarts, 0
        assert mine <= CAP
    assert restarts


@given(units, units)
def test_merging_counts_units_of_both_once(first: list[int], second: list[int]):
    """And a cell is at most full."""
    cells, other, both = UnitCells(), UnitCells(), UnitCells()
    for unit in first:
        cells.take(unit)
        both.take(unit)
    for unit in second:
        other.take(unit)
        both.take(unit)
    cells.merge(other)
    assert both.units == cells.units
    assert both.to_json() == cells.to_json()


def test_merged_cells_that_are_full_start_anew():
    """As they do when outcomes fill them."""
    cells, other = UnitCells(cap=2), UnitCells(cap=2)
    for unit in range(CELLS):
        cells.take(unit)
        other.take(unit)
    cells.merge(other)
    assert 1 == cells.restarts
    assert cells.take(5)


@given(units, units)
def test_cells_go_on_from_json(before: list[int], after: list[int]):
    """As if they had not been written."""
    cells = UnitCells(cap=2)
    for unit in before:
        cells.take(unit)
    read = UnitCells.from_json(json.loads(json.dumps(cells.to_json())))
    assert [cells.take(unit) for unit in after] == [read.take(unit) for unit in after]
    assert cells.to_json() == read.to_json()


@pytest.mark.parametrize("cap", [0, 256])
def test_a_cell_is_one_byte(cap: int):
    """So a cap is from 1 to 255."""
    with pytest.raises(ValueError, match="between 1 and 255"):
        UnitCells(cap=cap)


def test_a_unit_is_new_once():
    """And what stood for nobody merges with anybody."""
    distinct = DistinctUnits()
    distinct.merge(DistinctUnits())
    assert [True, False, True] == [distinct.add(unit) for unit in (5, 5, 6)]
    assert 2 == distinct.count
    empty = DistinctUnits()
    empty.merge(distinct)
    assert 2 == empty.count
    assert [False, True] == [empty.add(unit) for unit in (6, 7)]
