"""Some of the faults of `make chaos`, on three gateways: what they promise apart from how soon."""

import pytest

from tests.chaos.__main__ import FAULTS
from tests.chaos.fault import Means, tried
from tests.chaos.rig import Rig

TRIED = ("two-fleets", "redis-partitioned", "database-commit-lost")
"""The others take longer, or have a test of their own in tests/system."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """The fleet."""
    with Rig(tmp_path_factory.mktemp("rig"), moves=8) as made:
        yield made


@pytest.mark.parametrize("name", TRIED)
def test_what_is_promised_holds(name, rig, tmp_path):
    """Whatever a slow machine does to the times."""
    (fault,) = (each for each in FAULTS if each.name == name)
    row = tried(fault, Means(rig, tmp_path, is_quick=True))
    assert [] == row.findings.broken(), row.findings.told()
