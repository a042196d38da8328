"""`pinion demo` as a process."""

import json
import signal
import subprocess
import sys

import httpx2
import pytest
import yaml
from click.testing import CliRunner

from gateway.cli.demo import demo, tell
from tests.cli.demo import sample
from tests.gateway_process import inherited

COMMAND = [sys.executable, "-m", "gateway", "demo"]


def test_an_act_alone_measures_what_must_hold(tmp_path):
    """Off a terminal: exit code 0, figures as JSON, nothing on stderr, and no file left behind."""
    environment = {**inherited(), "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [*COMMAND, "--act", "3", "--json"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    figures = json.loads(ended.stdout)
    assert (True, []) == (figures["ok"], figures["problems"])
    for nothing in (
        "users_that_changed_release",
        "requests_harmed",
        "streams_cut",
        "late_attempts",
        "answers_by_another_model",
        "answers_by_a_shadow",
    ):
        assert 0 == figures[nothing], nothing
    (rollout,) = figures["rollouts"]
    assert ("rolled_back", "consecutive", 3) == (rollout["state"], rollout["rule"], rollout["attempts_judged"])
    assert 0 < rollout["seconds_from_the_first_failed"] <= rollout["seconds_from_the_trouble"] < 15
    assert ["shadow 50%", "25%"] == [step["step"] for step in rollout["steps"]]
    assert ["stable", "rolled back", "stable"] == [row["track"] for row in figures["releases"]]
    assert all(row["requests"] > 0 and row["cost_usd"] > 0 for row in figures["releases"])
    assert 0 < figures["copies"]
    assert [] == list(tmp_path.iterdir())


def test_an_interrupted_demo_ends_what_it_started(tmp_path):
    """SIGTERM, as Ctrl-C: one line, exit code 130, and nothing runs any more; kept files stay."""
    keep = tmp_path / "kept"
    command = [*COMMAND, "--keep", str(keep)]
    with subprocess.Popen(
        command, env=inherited(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while "act 1 of 3" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (130, "pinion: interrupted; what the demo started has ended\n") == (process.returncode, stderr)
    upstreams = (keep / "policies" / "upstreams.yaml").read_text()
    urls = [one["base_url"] for one in yaml.safe_load_all(upstreams) if one["kind"] == "provider"]
    assert 2 == len(urls)
    for url in urls:
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url, trust_env=False)
    assert (keep / "gateway.log").stat().st_size


def test_a_broken_promise_is_told(capsys):
    """What must hold and does not is a sentence beneath the figures, or in the JSON, and makes the answer no."""
    figures = sample.figures(streams_cut=1)
    assert not tell(figures, as_json=False)
    assert "\n1 streams were cut, and it must be none\n" in capsys.readouterr().out
    assert not tell(figures, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (False, ["1 streams were cut, and it must be none"]) == (told["ok"], told["problems"])


def test_missing_sdks_are_one_line():
    """Without the SDKs: one line that says what to install, and exit code 2."""
    without = "import sys; sys.modules['openai'] = None; from gateway.cli.demo import demo; demo()"
    ended = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    expected = "pinion: the demo needs openai; install pinion-gateway[demo]\n"
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)


def test_files_are_kept_in_a_new_folder_alone(tmp_path):
    """A folder that is there already is refused, and left as it is."""
    result = CliRunner().invoke(demo, ["--keep", str(tmp_path)])
    expected = f"pinion: cannot make {tmp_path}: File exists; name a folder that is not there yet\n"
    assert (2, expected) == (result.exit_code, result.stderr)
