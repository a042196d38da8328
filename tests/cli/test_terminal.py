"""How commands print."""

import json
import os
import pty
import subprocess
import sys

import pytest
from rich.text import Text

from gateway.cli.terminal import counted, facts, line, moment, printable, share, show, show_json, table

FOLDED = """
from gateway.cli.terminal import indented, line, show, table, width
show(line(("red", "red"), " and " + "words " * 20), indented(table(["n", "text"], [[1, "words " * 20]])), str(width()))
"""


def on_a_terminal(code, columns):
    """Run code on a terminal of so many columns and give what it printed, as lines."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    env.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, env=env) as process:
        os.close(theirs)
        printed = b""
        try:
            while more := os.read(ours, 65_536):
                printed += more
        except OSError:
            pass  # how a terminal says that nobody writes to it any more
        assert 0 == process.wait(60)
    os.close(ours)
    return printed.decode().splitlines()


def test_a_terminal_gets_colour_and_folded_lines():
    """On a terminal nothing is wider than it is, and styles are shown."""
    lines = on_a_terminal(FOLDED, 40)
    assert "\x1b[31mred" in lines[0]
    assert "40" == lines[-1]
    assert all(len(Text.from_ansi(one)) <= 40 for one in lines)
    assert len(lines) > 6


def test_off_a_terminal_nothing_wraps(capsys):
    """Elsewhere there is no colour, no fold however long a line is, and no blank at its end."""
    long = "words " * 200 + "end"
    show(line(("red", "red")), long, table(["n", "text"], [[1, long], [2, "short"]]))
    lines = capsys.readouterr().out.splitlines()
    assert ["red", long] == lines[:2]
    assert 6 == len(lines)
    assert all(one == one.rstrip() and "\x1b" not in one for one in lines)


def test_values_are_said_in_words(capsys):
    """A cell shows None as a dash, a truth as yes or no, a mapping as its pairs; a fact that is None is left out."""
    show(table(["value"], [[None], [True], [False], [{"a": 1, "b": 2}], [{}], [0.5]]))
    assert ["-", "yes", "no", "a=1, b=2", "-", "0.5"] == [
        one.strip() for one in capsys.readouterr().out.splitlines()[2:]
    ]
    show(facts([("name", 1), ("none", None), ("styled", line(("x", "red")))]))
    assert ["name    1", "styled  x"] == capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain [bold] é 中", "plain [bold] é 中"),
        ("\x1b[2J", r"\x1b[2J"),
        ("two\nlines\t", r"two\nlines\t"),
        ("\u202eturned", r"\u202eturned"),
        ("\ud800", r"\ud800"),
    ],
)
def test_names_cannot_steer_the_terminal(text, expected, capsys):
    """What is not to be printed is escaped, markup means nothing, and all else stays."""
    assert expected == printable(text)
    show(line(text))
    assert f"{expected}\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    ("ppm", "expected"), [(0, "0%"), (1, "0.0001%"), (5_000, "0.5%"), (100_000, "10%"), (1_000_000, "100%")]
)
def test_shares_are_percents(ppm, expected):
    """Parts per million are written as percent with no more digits than they need."""
    assert expected == share(ppm)


def test_counts_have_their_noun():
    """One is singular, every other count plural."""
    assert ["0 steps", "1 step", "2 steps"] == [counted(count, "step") for count in (0, 1, 2)]


def test_moments_are_utc():
    """Wall seconds are written as a time in UTC."""
    assert "2026-10-01 12:00:05 UTC" == moment(1_790_856_005.9)


def test_json_is_readable_and_whole(capsys):
    """JSON is indented and keeps letters as they are."""
    show_json({"route": "é", "list": [1]})
    printed = capsys.readouterr().out
    assert {"route": "é", "list": [1]} == json.loads(printed)
    assert '\n  "route": "é"' in printed
