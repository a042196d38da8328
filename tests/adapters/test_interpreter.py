"""The interpreter, as a process that serves wants it."""

import subprocess
import sys
from pathlib import Path

import gateway

ROOT = Path(gateway.__file__).parent.parent


def test_collections_are_rare_and_threads_give_way():
    """In a process of its own: what the start has made is out of collections, and threads switch within 0.5 ms."""
    script = (
        "import gc, sys; from gateway.adapters.interpreter import settle_interpreter; settle_interpreter();"
        "print(gc.get_threshold()[0], gc.get_freeze_count() > 1000, sys.getswitchinterval())"
    )
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True).stdout
    assert "5000 True 0.0005" == said.strip()
