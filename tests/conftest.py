"""What every test may use: the event loop that Pinion runs on."""

import pytest


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio, as the gateway does."""
    return "asyncio"
