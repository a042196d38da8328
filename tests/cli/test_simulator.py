"""`pinion simulator` as a process."""

import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx2
import pytest
from click.testing import CliRunner

from gateway.cli.simulator import simulator

START = "from gateway.cli.simulator import simulator; simulator()"


@contextmanager
def started(*arguments):
    """The command in a process of its own, and the URL that it tells."""
    command = [sys.executable, "-c", START, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield process, re.fullmatch(r"simulator ready on (http://127\.0\.0\.1:\d+)\n", line)[1]
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(ending):
    """One line tells the address, with the port that was found; a signal ends it with exit code 0."""
    with started("--port", "0", "--seed", "7") as (process, url):
        assert 200 == httpx2.get(f"{url}/v1/models").status_code
        process.send_signal(ending)
        assert ("", "") == process.communicate(timeout=60)
        assert 0 == process.returncode


def test_faults_hold_from_the_start(tmp_path):
    """The faults of the file are set when it is ready."""
    file = tmp_path / "faults.yaml"
    file.write_text("models:\n  m: {length: 3}\n")
    with started("--port", "0", "--faults", str(file)) as (_, url):
        assert {"models": {"m": {"length": 3}}} == httpx2.get(f"{url}/_simulator/faults").json()


def test_a_used_port_is_one_line():
    """A port in use is one line on stderr that says what to do, and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(simulator, ["--port", str(port)])
    expected = f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port or --host\n"
    assert (2, "", expected) == (result.exit_code, result.stdout, result.stderr)


def test_a_host_that_is_unknown_is_one_line():
    """An address that does not exist is told as the system says it."""
    result = CliRunner().invoke(simulator, ["--port", "0", "--host", "nowhere.invalid"])
    assert 2 == result.exit_code
    assert 1 == result.stderr.count("\n")
    assert result.stderr.startswith("cannot listen on nowhere.invalid:0: ")


def test_wrong_faults_are_one_line(tmp_path):
    """A faults file that cannot be used is one line that names it, and exit code 2."""
    file = tmp_path / "faults.json"
    file.write_text('{"speed": 1}')
    result = CliRunner().invoke(simulator, ["--faults", str(file)])
    assert 2 == result.exit_code
    assert result.stderr.startswith(f"{file}: unknown key 'speed'")
