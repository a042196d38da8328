"""What every test may use: the event loop of the gateway, properties that no slow machine fails, and an order."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A property is held or broken, however long its examples take: a busy machine must not fail one by its clock.
settings.register_profile("unhurried", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("unhurried")

FIRST = ("system", "docs", "loadtests", "cli", "adapters", "endtoend")
"""The folders whose modules take longest: run last, they would keep one worker busy after the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules that take long first, and leave everything else as it was found."""
    here = Path(__file__).parent
    places = {folder: place for place, folder in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(FIRST)))


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio, as the gateway does."""
    return "asyncio"
