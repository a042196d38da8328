"""Watching a rollout until it is over."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.cli.gateway_client import Away, Misused, NotNow, Refused
from gateway.cli.rollout_watch import (
    PATIENCE,
    JsonScreen,
    LiveScreen,
    Screen,
    Watch,
    interruptible,
    screen_for,
    what_matters,
)
from tests.cli import rollout_answers
from tests.gateway_process import STOP_SECONDS, ended, wait_until

GOOD = [rollout_answers.shadow(), rollout_answers.running(), rollout_answers.running(), rollout_answers.completed()]
BAD = [rollout_answers.running(), rollout_answers.rolled_back()]
GONE = Away("no gateway answers at http://gateway")


class Story:
    """A gateway that gives one answer after the other, and a clock that its watcher's sleep moves."""

    def __init__(self, *answers):
        self._answers = iter(answers)
        self.now = 0.0
        self.sleeps = []

    def ask(self):
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def watch(*answers, screen=None, interval=2.0):
    """Watch a story off a terminal; gives the exit code and the story."""
    story = Story(*answers)
    shown = screen or Screen(wall=lambda: rollout_answers.START)
    return Watch(story.ask, shown, interval, clock=story.clock, sleep=story.sleep).run(), story


@contextmanager
def serving(answers):
    """An operations API that gives one answer after the other, the last one for ever; yields its URL."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def on_a_terminal(url, *args):
    """Run `pinion rollout watch` on a terminal; yields the process and the list of what it writes there."""
    ours, theirs = pty.openpty()
    env = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "50",
        "PINION_ADMIN_URL": url,
        "PYTHONFAULTHANDLER": "1",
    }
    env.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "gateway", "rollout", "watch", "support", "--interval", "100ms", *args]
    written = []

    def read():
        try:
            while more := os.read(ours, 65_536):
                written.append(more.decode(errors="replace"))
        except OSError:
            pass  # how a terminal says that nobody writes to it any more

    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        reading = threading.Thread(target=read)
        reading.start()
        try:
            yield process, written
        finally:
            process.kill()
            process.wait()
            reading.join(10)
            os.close(ours)


def test_each_change_is_a_line_until_it_is_completed(capsys):
    """What stays the same is not said again; exit code 0, and no cursor is moved."""
    code, story = watch(*GOOD)
    lines = capsys.readouterr().out.splitlines()
    assert (0, 3) == (code, len(lines))
    said = "2026-10-01 12:00:00 UTC support from 1.0.0 to 1.1.0: "
    first, second = ("; ".join(wait["sentence"] for wait in told["judged"]["waits"]) for told in GOOD[:2])
    assert f"{said}shadow, step 1 of 4, shadow 10%; waits for: {first}" == lines[0]
    assert f"{said}running, step 3 of 4, weight 25%; waits for: {second}" == lines[1]
    assert "schema_valid: not decided" in second
    assert f"{said}completed, weight 100%; gateway: every gate passed" == lines[2]
    assert [2.0, 2.0, 2.0] == story.sleeps
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_what_ends_badly_is_exit_code_1(capsys):
    """A rollback says its reason."""
    assert 1 == watch(*BAD)[0]
    last = capsys.readouterr().out.splitlines()[-1]
    assert "rolled back, step 3 of 4, weight 0%; gateway: guardrail: error_rate: worse beyond chance" in last


def test_another_rollout_in_its_place_is_exit_code_1(capsys):
    """It is shown, and not watched."""
    other = {**rollout_answers.running(), "id": "0ther", "candidate": "1.2.0"}
    assert 1 == watch(rollout_answers.running(), other)[0]
    assert "support from 1.0.0 to 1.2.0: running" in capsys.readouterr().out.splitlines()[-1]
    superseded = rollout_answers.told(rollout_answers.rollout("superseded"), verb="supersede")
    assert 1 == watch(superseded)[0]


def test_one_that_is_over_is_not_waited_for():
    """A completed one is over, although it is judged on."""
    code, story = watch(rollout_answers.completed())
    assert (0, []) == (code, story.sleeps)


def test_a_held_one_says_why(capsys):
    """In the sentences of its waits; without them, in the words of its codes."""
    unstarted = rollout_answers.told(rollout_answers.rollout("held", None, holds=("not_started",)), verb="hold")
    watch(unstarted, rollout_answers.held(), rollout_answers.completed())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("held, before the first of 4 steps, weight 0%: nobody has started it")
    assert "held, step 2 of 4, weight 1%; waits for: " in lines[1]
    assert "; 40 of 100 requests; a person's word: " in lines[1]


def test_a_change_is_one_of_state_step_holds_or_waits():
    """Figures alone make none."""
    running = rollout_answers.running()
    assert what_matters(running) == what_matters({**running, "updated_at": 1.0, "weight_ppm": 7})
    for other in ({"state": "paused"}, {"step": 1}, {"holds": ["signal"]}, {"judged": None}, {"id": "other"}):
        assert what_matters(running) != what_matters({**running, **other})


def test_json_is_an_object_a_line(capsys):
    """What the gateway answers, at each change."""
    code, _ = watch(*GOOD, screen=JsonScreen())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (0, [GOOD[0], GOOD[1], GOOD[3]]) == (code, lines)


def test_a_gateway_that_goes_away_may_come_back(capsys):
    """It is said once each time, on standard error, and the watch goes on."""
    away = NotNow("the disk is away")
    code, story = watch(BAD[0], GONE, GONE, BAD[0], away, rollout_answers.completed())
    printed = capsys.readouterr()
    assert (0, 2) == (code, len(printed.out.splitlines()))
    assert [
        "pinion: no gateway answers at http://gateway; asking again for 30 s",
        "pinion: the disk is away; asking again for 30 s",
    ] == printed.err.splitlines()
    assert [2.0, 1.0, 1.0, 2.0, 1.0] == story.sleeps


def test_a_gateway_that_stays_away_ends_the_watch():
    """After half a minute, with exit code 2; one that was never there ends it at once."""
    with pytest.raises(
        Misused, match=r"no gateway answers at .*; it has been away for 30 s, so the watch ends"
    ) as left:
        watch(BAD[0], *[GONE] * 100)
    assert 2 == left.value.exit_code
    story = Story(BAD[0], *[GONE] * 100)
    with pytest.raises(Misused):
        Watch(story.ask, Screen(), 60.0, clock=story.clock, sleep=story.sleep).run()
    assert 60.0 + PATIENCE == story.now
    with pytest.raises(Away):
        watch(GONE)


def test_a_no_ends_the_watch():
    """A route that is gone, or a token that counts no more, is not asked for again."""
    with pytest.raises(Refused, match="no route"):
        watch(BAD[0], Refused("no route 'support'"))
    with pytest.raises(Misused, match="token"):
        watch(BAD[0], Misused("this needs the token"))


def test_the_command_prints_lines_off_a_terminal(alone):
    """With the exit code of how it ended."""
    with serving(GOOD) as url:
        result = alone("rollout", "watch", "support", "--interval", "100ms", PINION_ADMIN_URL=url)
    assert (0, 3, "") == (result.exit_code, len(result.stdout.splitlines()), result.stderr)
    with serving(BAD) as url:
        result = alone("rollout", "watch", "support", "--interval", "100ms", "--json", PINION_ADMIN_URL=url)
    assert (1, BAD) == (result.exit_code, [json.loads(line) for line in result.stdout.splitlines()])


@pytest.mark.parametrize(("interval", "said"), [("soon", "is not a duration"), ("1ms", "at most ten times a second")])
def test_an_interval_is_a_duration(alone, interval, said):
    """Of 100 ms or more."""
    result = alone("rollout", "watch", "support", "--interval", interval)
    assert 2 == result.exit_code
    assert said in result.stderr


def test_a_terminal_gets_a_picture_that_stays():
    """It is redrawn until the rollout is over, and its last state is left there."""
    with serving([*GOOD[:2], *GOOD]) as url, on_a_terminal(url) as (process, written):
        assert 0 == ended(process, written, STOP_SECONDS)
    whole = "".join(written)
    assert "Ctrl-C ends the watch, not the rollout" in whole
    assert "\x1b[" in whole
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole).rpartition(
        "support from 1.0.0 to 1.1.0: completed, weight 100%"
    )[2]
    assert "shadow 10% → 1% → 25% → 100%" in end
    assert "error_rate" in end
    assert "Ctrl-C" not in end


def test_ctrl_c_ends_the_watch_and_not_the_rollout():
    """With exit code 0, whatever the rollout is doing."""
    with serving([rollout_answers.running()]) as url, on_a_terminal(url) as (process, written):
        wait_until(lambda: "Ctrl-C ends the watch" in "".join(written))
        process.send_signal(signal.SIGINT)
        assert 0 == ended(process, written, STOP_SECONDS)


def test_ctrl_c_ends_the_watch_even_where_its_exception_is_lost():
    """As in a destructor, where Python drops it: the next look finds that the watch is ended."""
    pressed = []

    def ask():
        assert len(pressed) < 2
        with suppress(KeyboardInterrupt):
            pressed.append(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return rollout_answers.running()

    before = signal.getsignal(signal.SIGINT)
    with interruptible() as is_ended:
        assert not is_ended()
        assert 0 == Watch(ask, JsonScreen(), 0.0, is_ended=is_ended).run()
    assert before == signal.getsignal(signal.SIGINT)


def test_a_picture_says_above_it_that_it_is_old(capsys):
    """A gateway that is away is told where it is seen first."""
    assert 1 == watch(BAD[0], GONE, BAD[1], screen=LiveScreen())[0]
    screen = LiveScreen()
    with screen:
        screen.away("it is gone")
    assert "guardrail" in capsys.readouterr().out


def test_screens_are_chosen_by_the_output():
    """JSON where it is asked for, lines off a terminal."""
    assert isinstance(screen_for(as_json=True), JsonScreen)
    assert type(screen_for(as_json=False)) is Screen
