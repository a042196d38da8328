"""Plain values: a dataclass that type checkers take for a frozen one."""

import subprocess
import sys

import pytest

from gateway.core.value import value


@value
class Point:
    """A value for these tests."""

    x: int
    y: int = 0


def test_a_value_is_compared_hashed_and_shown_by_its_fields():
    """As every dataclass."""
    assert Point(1) == Point(1, 0)
    assert hash(Point(1)) == hash(Point(1, 0))
    assert "Point(x=1, y=0)" == repr(Point(1))


def test_a_value_has_no_other_fields():
    """Slots keep it small, and refuse a name that it has not."""
    with pytest.raises(AttributeError):
        Point(1).z = 2


def test_a_type_checker_refuses_a_change(tmp_path):
    """That nobody sets a field again is held before the program runs."""
    source = tmp_path / "changes.py"
    source.write_text("from gateway.core.unit import Unit\n\nUnit('ann', 'header').value = 'bob'\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == checked.returncode
    assert 'Property "value" defined in "Unit" is read-only' in checked.stdout
