"""The interpreter, as a process that serves wants it."""

import subprocess
import sys
from pathlib import Path

import gateway

ROOT = Path(gateway.__file__).parent.parent


def said_by(script: str) -> str:
    """What a process of its own prints that runs a script."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True).stdout


def test_collections_are_rare_and_threads_give_way():
    """In a process of its own: what the start has made is out of collections, and threads switch within 0.5 ms."""
    script = (
        "import gc, sys; from gateway.adapters.interpreter import settle_interpreter; settle_interpreter();"
        "print(gc.get_threshold()[0], gc.get_freeze_count() > 1000, sys.getswitchinterval())"
    )
    assert "5000 True 0.0005" == said_by(script).strip()


def test_nothing_is_collected_within_the_block_and_collections_go_on_after_it():
    """In a process of its own: whatever happens in the block, what it has made is out of collections afterwards."""
    script = """
import gc
from gateway.adapters.interpreter import uncollected
try:
    with uncollected():
        print(gc.isenabled())
        raise ImportError("there is no such module")
except ImportError as error:
    print(error)
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    assert ["False", "there is no such module", "True True"] == said_by(script).splitlines()
