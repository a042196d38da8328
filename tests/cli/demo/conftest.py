"""What the demo's tests share."""

import os

import pytest


@pytest.fixture(autouse=True)
def _untraced(monkeypatch):
    """The demo's own processes are not traced for coverage, which would slow what they measure threefold."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
