"""How the demo looks."""

import io

import pytest
from rich.console import Console

from gateway.cli.demo.figures import release_rows
from gateway.cli.demo.picture import FAILING, MIRRORED, STARTING, STICKY, explained, opening, scene, summary
from tests.cli.demo.sample import MOMENTS, figures, tally

EVENTS = [
    {"event": "rollout_start", "release": "1.1.0", "weight_ppm": 50_000, "actor": "local"},
    {"event": "reload_accepted", "epoch": 3},
    {"event": "rollback", "release": "1.1.0", "actor": "gateway"},
    {"event": "panic", "message": "nothing else can serve"},
    {"event": "draining"},
]

ROLLOUT = {
    "route": "support-assistant",
    "from": "1.0.0",
    "candidate": "1.1.0",
    "state": "rolled_back",
    "step": 1,
    "steps": 3,
    "weight_ppm": 0,
    "updated_at": 0.0,
    "actor": "gateway",
    "reason": "consecutive: failed 3",
}


def printed(parts, width=80):
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def body(act, events=()):
    """An act's body on the sample."""
    rows = release_rows(tally(), {("support-assistant", "1.1.0"): 50_000}, MOMENTS.ended)
    stamped = [{"timestamp": "2026-11-21T11:39:02.352255Z", **event} for event in events]
    return scene(act, tally(), rows, stamped)


@pytest.mark.parametrize("act", [STICKY, MIRRORED, FAILING])
def test_an_act_fits_a_small_terminal(act):
    """Head, table, note, events and explanation fit 80 columns and 24 lines, and no line of the head is folded."""
    head = printed(opening(act))
    assert 3 == head.count("\n")
    assert 24 >= (head + printed([*body(act, EVENTS), *explained(ROLLOUT)])).count("\n")


def test_an_act_says_what_it_is_about():
    """Its number, its title and a sentence stand above, and the start is announced."""
    assert printed(opening(STICKY)).startswith("Pinion demo  act 1 of 3: a sticky 5% canary\n5% of the users of")
    assert "starting two simulated providers" in printed(STARTING)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (STICKY, "users that changed release: 1 of 20"),
        (MIRRORED, "answers of the shadow that reached a caller: 0"),
        (FAILING, "requests harmed so far: 0 of 22"),
    ],
)
def test_each_act_has_its_note(act, expected):
    """Below the table stands what the act is about, as measured so far."""
    assert expected in printed(body(act))


def test_events_are_told_in_words():
    """The last four lines of the gateway's log, with their time; one that has no words of its own has its message."""
    shown = printed(body(FAILING, EVENTS))
    assert "rollout_start" not in shown
    for expected in (
        "11:39:02.352 reload_accepted: the changed policies serve from epoch 3",
        "11:39:02.352 rollback by gateway: 1.1.0 is out, weight 0%",
        "11:39:02.352 panic: nothing else can serve",
        "11:39:02.352 draining:",
    ):
        assert expected in shown
    assert "rollout_start by local: 1.1.0 gets 5% of the users" in printed(body(STICKY, EVENTS[:1]))


def test_the_summary_fits_a_small_terminal():
    """A good run's summary is at most 23 lines of 80 columns, none folded, and says that all holds."""
    shown = printed(summary(figures(), []))
    assert 23 >= shown.count("\n")
    assert shown == printed(summary(figures(), []), width=200)
    assert "0.99 from the first failed, 1.50 from the fault" in shown
    assert "Every figure that must hold holds." in shown


def test_a_broken_promise_stands_in_place_of_the_good_news():
    """What does not hold is said instead."""
    shown = printed(summary(figures(streams_cut=1), ["1 streams were cut, and it must be none"]))
    assert "1 streams were cut" in shown
    assert "holds" not in shown
