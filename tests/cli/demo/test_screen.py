"""Where the demo is shown."""

import pytest

from gateway.cli.demo.screen import LiveScreen, PlainScreen, Screen


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is taken for a terminal of 80 columns."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    monkeypatch.setenv("COLUMNS", "80")


def played(screen):
    """Show one act."""
    with screen:
        screen.opens(["head"])
        screen.frame(lambda: ["half"])
        screen.tells(["step"])
        screen.frame(lambda: ["more"])
        screen.closes(lambda: ["whole"])


def test_json_has_no_screen(capsys):
    """Nothing is shown to who asks for JSON."""
    played(Screen())
    assert "" == capsys.readouterr().out


def test_off_a_terminal_there_are_plain_lines(capsys):
    """The head comes when an act begins, what happens when it does, the rest when it is over; no control codes."""
    played(PlainScreen())
    assert "head\nstep\nwhole\n\n" == capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_a_live_picture(capsys):
    """The picture is drawn while the act goes on, taken back, and its last state left on the terminal."""
    played(LiveScreen())
    out = capsys.readouterr().out
    assert out.index("half") < out.index("step") < out.index("more") < out.index("whole")
    assert out.endswith("head\nstep\nwhole\n\n")
    assert "\x1b[?25l" in out
    assert out.count("\x1b[?25l") == out.count("\x1b[?25h")


@pytest.mark.usefixtures("terminal")
def test_an_end_before_the_end_gives_the_terminal_back(capsys):
    """Left in the middle of an act, as by Ctrl-C, the screen shows the cursor again."""
    with LiveScreen() as screen:
        screen.frame(lambda: ["half"])
    assert "\x1b[?25h" in capsys.readouterr().out
