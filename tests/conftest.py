"""What every test may use: the event loop that Pinion runs on, and properties that a slow machine does not fail."""

import pytest
from hypothesis import HealthCheck, settings

# A property is held or broken, however long its examples take: a busy machine must not fail one by its clock.
settings.register_profile("unhurried", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("unhurried")


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio, as the gateway does."""
    return "asyncio"
