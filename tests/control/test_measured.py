"""Measured figures, over a real ledger."""

import pytest

from gateway.adapters import sql_ledger
from gateway.control.measured import WINDOW_SECONDS, Measured
from gateway.control.policies import load
from gateway.control.state import State
from gateway.core.errors import UnknownSubject
from tests.control.experiment_samples import START
from tests.control.serving_world import files, route
from tests.control.test_experiments import opened

pytestmark = pytest.mark.anyio

POLICIES = load(files(route("support")))


@pytest.fixture
async def lab(tmp_path):
    """A real ledger, a day after its first request."""
    async with opened(tmp_path) as found:
        yield found


def measured(lab):
    """The figures of that ledger."""
    return Measured(lambda: State(policies=POLICIES), lab.ledger, lab.clock)


async def test_figures_are_of_a_window(lab):
    """Four weeks, or as many seconds as are asked for; the windows of ids are added up."""
    for number in range(5):
        lab.serve(f"u-{number}", "control")
    told = await measured(lab).figures("support", "1.0.0")
    assert ("support", "1.0.0", 5) == (told["route"], told["release"], told["requests"])
    assert (WINDOW_SECONDS, lab.clock.wall()) == (told["until"] - told["since"], told["until"])
    assert 2 == (await measured(lab).figures("support", "1.0.0", 86_400.0 - 3.5))["requests"]
    assert 0 == (await measured(lab).figures("support", "1.1.0"))["requests"]
    assert START < told["until"]
    assert repr(measured(lab)).startswith("<Measured in SqlLedger(")


async def test_many_windows_are_added_up(lab, monkeypatch):
    """A question each, so that records are written between two of them."""
    monkeypatch.setattr(sql_ledger, "WINDOW", 2)
    monkeypatch.setattr("gateway.adapters.sql_figures.WINDOW", 2)
    for number in range(5):
        lab.serve(f"u-{number}", "control")
    assert 5 == (await measured(lab).figures("support", "1.0.0"))["requests"]


@pytest.mark.parametrize(("name", "version"), [("other", "1.0.0"), ("support", "9")])
async def test_only_declared_releases_have_figures(lab, name, version):
    """Of others nothing is said, rather than nought."""
    with pytest.raises(UnknownSubject):
        await measured(lab).figures(name, version)
