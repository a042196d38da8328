"""What every test may use: the event loop of the gateway, properties that no slow machine fails, and an order."""

import gc
import importlib
import os
import pkgutil
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import gateway
from tests.tracing import let_processes_go, untraced

# A property is held or broken, however long its examples take: a busy machine must not fail one by its clock.
settings.register_profile("unhurried", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("unhurried")

# Hundreds of gateways are started: what Python compiles of them is kept, whatever the environment says of that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

FIRST = ("system", "docs", "loadtests", "cli", "adapters", "endtoend")
"""The folders whose modules take longest: run last, they would keep one worker busy after the others have ended."""

BESIDE = ("docs", "deploy", "chaos", "loadtests")
"""The folders whose tests ask gateways in processes of their own: in this one there is little of them to trace."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import the package under the tracer of coverage, and collect all tests without it: that is half of the time.

    Look for garbage once, after all tests are collected, and never again among what they are made of. A third of the
    time of collecting goes into looking for it, since all that is made stays.
    """
    let_processes_go()
    gc.disable()
    try:
        for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
            importlib.import_module(module.name)
        with untraced():
            return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules that take long first, and mark what need not be traced.

    That is what runs elsewhere, and properties: examples of what they hold are tests, too, which trace the same lines.
    """
    places = {folder: place for place, folder in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(_folder(item), len(FIRST)))
    for item in items:
        if _folder(item) in BESIDE or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.untraced)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that is marked `untraced`, and what threads it starts, without the tracer of coverage."""
    if sys.gettrace() is None or item.get_closest_marker("untraced") is None:
        return (yield)
    with untraced():
        return (yield)


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio, as the gateway does."""
    return "asyncio"
