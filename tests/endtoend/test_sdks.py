"""Both official SDKs, today's and the generation before, make every call through the gateway."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.harness import KEY, Route
from tests.gateway_process import inherited

CALLS = Path(__file__).with_name("sdk_calls.py")
PREVIOUS = Path(__file__).parent.parent.parent / ".venv" / "previous-sdks"

TEXT = "It left on Monday."

ANSWERS: Mapping[str, Any] = {
    "openai chat": TEXT,
    "openai chat stream": TEXT,
    "openai completion": TEXT,
    "openai completion stream": TEXT,
    "openai response": TEXT,
    "openai response stream": TEXT,
    "openai embedding": 256,
    "openai models": True,
    "openai model": True,
    "anthropic message": TEXT,
    "anthropic message stream": TEXT,
    "anthropic count": 5,
    "anthropic models": True,
    "anthropic model": True,
}
"""What each call gives on a route that answers."""

FAILURES: Mapping[str, str] = {
    "broken openai chat": "InternalServerError",
    "broken openai chat stream": "APIError",
    "broken anthropic message": "InternalServerError",
    "broken anthropic message stream": "APIStatusError",
}
"""What each call raises on a route whose provider cuts every answer."""


@pytest.fixture
def today():
    """The environment of a process that finds the SDKs of today, and their major versions."""
    return inherited(), {"openai": "3", "anthropic": "2"}


@pytest.fixture
def before():
    """The same for the generation before."""
    if not (PREVIOUS / "openai").is_dir():
        pytest.fail(f"the SDKs' generation before today's is not in {PREVIOUS}; run `make env`")
    return {**inherited(), "PYTHONPATH": str(PREVIOUS)}, {"openai": "2", "anthropic": "0"}


@pytest.mark.parametrize("generation", ["today", "before"])
def test_every_call_works_and_every_cut_raises(world, take, request, generation):
    """Each call gives the provider's words, and a cut answer is the SDK's own exception and never a clean end."""
    environment, versions = request.getfixturevalue(generation)
    healthy = [take("chat"), take("messages")]
    for route in healthy:
        route.behave(answer=TEXT)
    broken = [take("chat"), take("messages")]
    for route in broken:
        route.behave(length=200, cut_at=900)
    told = told_by(world.url, healthy + broken, environment)
    assert versions == {name: told.pop(f"{name} version").partition(".")[0] for name in versions}
    expected = {**ANSWERS, **FAILURES}
    expected |= {f"async {call}": result for call, result in expected.items()}
    assert expected == {call: result[0] if isinstance(result, list) else result for call, result in told.items()}


def told_by(url: str, routes: list[Route], environment: Mapping[str, str]) -> dict[str, Any]:
    """What every call gave in a process with this environment."""
    command = [sys.executable, str(CALLS), url, KEY, *(route.name for route in routes)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)
