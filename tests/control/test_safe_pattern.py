"""Which patterns a schema may have."""

import re
import time

import pytest

from gateway.control.safe_pattern import problem_of


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(a+)+$",
        r"^(a|a)*$",
        r"(a?){30}",
        r"^(a*)*$",
        r"^((a)+){2,}$",
        r"^(\w+)(,\w+)*$",
        r"(a)\1",
        r"(?P<x>a)(?P=x)",
        r"^a*a*a*a*$",
        r"a*a*a*b",
        r"^(a+){4}$",
        "a?" * 13,
        "^(a|b)" + "(c|d)" * 12,
    ],
)
def test_what_may_take_long_is_refused(pattern):
    """With a word on what to write instead."""
    assert "; " in problem_of(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[a-z0-9]+@[a-z0-9]+\.[a-z]+$",
        r"^(\d{1,3}\.){3}\d{1,3}$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(?:red|green|blue)$",
        r"foo.*bar",
        r"^[(+*)]+\(\)$",
        r"^a*a*a*$",
    ],
)
def test_ordinary_ones_are_taken(pattern):
    """And are answered soon on the longest string that is tried."""
    assert problem_of(pattern) is None
    began = time.perf_counter()
    re.search(pattern, "a" * 255 + "!")
    assert 0.2 > time.perf_counter() - began
