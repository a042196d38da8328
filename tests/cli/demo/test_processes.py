"""The processes of the demo."""

import asyncio
import json
import re
import signal
import sys

import httpx2
import pytest

from gateway.cli.demo.processes import DemoFailure, GatewayLog, Process, running, write

pytestmark = pytest.mark.anyio


async def test_they_run_for_the_length_of_a_block(tmp_path):
    """Both simulators and the gateway answer within the block and are gone after it; policies and log are in files."""
    async with running(tmp_path / "demo") as cast, httpx2.AsyncClient(trust_env=False) as client:
        assert 200 == (await client.get(f"{cast.admin_url}/readyz")).status_code
        for url in cast.simulators.values():
            assert 200 == (await client.get(f"{url}/v1/models")).status_code
        assert 401 == (await client.get(f"{cast.url}/v1/models", headers={"authorization": "Bearer x"})).status_code
        asked = await client.get(f"{cast.url}/v1/models", headers={"authorization": f"Bearer {cast.keys['openai']}"})
        assert ["support-assistant"] == [model["id"] for model in asked.json()["data"]]
        assert "reload_accepted" in [event["event"] for event in cast.log.new()]
        assert (cast.policies / "plans.yaml").is_file()
    async with httpx2.AsyncClient(trust_env=False) as client:
        for url in (cast.url, cast.admin_url, *cast.simulators.values()):
            with pytest.raises(httpx2.ConnectError):
                await client.get(url)


async def child(code, log):
    """A process of some Python code, as the demo holds its own."""
    with log.open("wb") as stderr:
        pipe = asyncio.subprocess.PIPE
        started = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=pipe, stderr=stderr)
    return Process("serve", started, log), started


async def test_a_process_that_does_not_start_is_told_with_its_last_words(tmp_path):
    """One that ends instead of telling where it is fails the demo, in one line that says what it said."""
    process, started = await child("import sys; sys.exit('the port is taken')", tmp_path / "log")
    with pytest.raises(DemoFailure, match=re.escape("`pinion serve` did not start; it said: the port is taken")):
        await process.ready(re.compile("ready"))
    await process.stop()
    assert started.returncode


async def test_a_process_that_says_nothing_is_told_so(tmp_path):
    """There may be no last words."""
    process, _ = await child("", tmp_path / "log")
    with pytest.raises(DemoFailure, match="it said: nothing"):
        await process.ready(re.compile("ready"))
    await process.stop()


async def test_a_process_that_does_not_end_is_killed(tmp_path):
    """One that ignores SIGTERM has its time, and no more."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    process, started = await child(code, tmp_path / "log")
    await process.ready(re.compile("ready"))
    await process.stop(patience=0.1)
    assert -signal.SIGKILL == started.returncode


def test_the_log_is_read_as_it_grows(tmp_path):
    """Each call gives the whole lines since the last one, without requests and without what is no JSON."""
    path = tmp_path / "log"
    lines = [json.dumps({"event": name}) for name in ("rollback", "request", "shadow")]
    path.write_text(f"warning: not JSON\n{lines[0]}\n{lines[1]}\n{lines[2][:5]}")
    log = GatewayLog(path)
    assert [{"event": "rollback"}] == log.new()
    assert [] == log.new()
    with path.open("a") as file:
        file.write(lines[2][5:] + "\n")
    assert [{"event": "shadow"}] == log.new()


def test_policy_files_appear_whole(tmp_path):
    """Each file is written in one move, over an older one too, and nothing else is left in the folder."""
    write(tmp_path, {"a.yaml": "old"})
    write(tmp_path, {"a.yaml": "new", "b.yaml": "b"})
    assert {"a.yaml": "new", "b.yaml": "b"} == {path.name: path.read_text() for path in tmp_path.iterdir()}
