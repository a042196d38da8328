"""What is done for ended requests at the end of the event loop's turn."""

import pytest

from gateway.proxy.afterwards import Afterwards


class Turn:
    """The end of a turn: what is to be called then."""

    def __init__(self) -> None:
        self.due = []

    def soon(self, act):
        self.due.append(act)

    def end(self):
        due, self.due = self.due, []
        for act in due:
            act()


def test_acts_wait_for_the_end_of_the_turn_in_order():
    """However many there are, the turn's end is asked for once."""
    turn, done = Turn(), []
    afterwards = Afterwards(turn.soon)
    for number in range(3):
        afterwards.add(lambda number=number: done.append(number))
    assert ([], 1, "<Afterwards 3 waiting>") == (done, len(turn.due), repr(afterwards))
    turn.end()
    assert ([0, 1, 2], "<Afterwards 0 waiting>") == (done, repr(afterwards))
    afterwards.add(lambda: done.append(3))
    turn.end()
    assert [0, 1, 2, 3] == done


def test_without_a_turn_nothing_waits():
    """As in a script of events, where every act is done before the next event."""
    done = []
    Afterwards().add(lambda: done.append(1))
    assert [1] == done


def test_what_must_not_be_overtaken_is_done_first():
    """Before a failure is settled, what ended before it is; the turn's end then finds nothing."""
    turn, done = Turn(), []
    afterwards = Afterwards(turn.soon)
    afterwards.add(lambda: done.append("good"))
    afterwards.run()
    done.append("failure")
    turn.end()
    assert ["good", "failure"] == done


def test_one_that_raises_does_not_take_the_others_along():
    """They are done at the end of the next turn in which anything is added."""
    turn, done = Turn(), []
    afterwards = Afterwards(turn.soon)

    def raises():
        raise LookupError

    afterwards.add(raises)
    afterwards.add(lambda: done.append(1))
    with pytest.raises(LookupError):
        turn.end()
    afterwards.add(lambda: done.append(2))
    turn.end()
    assert [1, 2] == done
