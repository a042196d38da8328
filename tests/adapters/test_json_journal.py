"""The structured log."""

import io
import threading
from datetime import UTC, datetime
from pathlib import Path
from select import PIPE_BUF

import orjson
import pytest

from gateway.adapters.json_journal import JsonJournal
from tests.adapters.ledger_records import FULL

ALWAYS_FULL = Path("/dev/full")


class Gate(io.BytesIO):
    """A stream that takes nothing until it is opened."""

    def __init__(self):
        super().__init__()
        self.reached = threading.Event()
        self.open = threading.Event()

    def write(self, data):
        self.reached.set()
        self.open.wait(30)
        return super().write(data)


class Broken(io.BytesIO):
    """A stream that fails a number of times."""

    def __init__(self, failures):
        super().__init__()
        self.failures = failures
        self.reached = threading.Semaphore(0)

    def write(self, data):
        self.reached.release()
        if self.failures:
            self.failures -= 1
            raise BrokenPipeError
        return super().write(data)


def lines(stream):
    """What was written, read back."""
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


class Pieces(Gate):
    """A stream that takes nothing until it is opened, then keeps apart what it was given at once."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, data):
        written = super().write(data)
        self.pieces.append(bytes(data))
        return written


def test_what_is_written_at_once_is_whole_lines_that_a_pipe_takes_whole():
    """So that the lines of several processes on one pipe stay apart; one that is longer goes alone."""
    stream = Pieces()
    journal = JsonJournal(stream)
    told = [1] * 20 + [9, 1]
    for number, texts in enumerate(told):
        journal.event("told", number=number, **{f"text_{one}": "x" * 1_000 for one in range(texts)})
    stream.open.set()
    journal.close()
    assert list(range(len(told))) == [line["number"] for line in lines(stream)]
    assert all(piece.endswith(b"\n") for piece in stream.pieces)
    long = [piece for piece in stream.pieces if len(piece) > PIPE_BUF]
    assert [1] == [piece.count(b"\n") for piece in long]
    assert len(stream.pieces) < len(told)


def test_an_event_is_a_line_with_time_level_and_name_first():
    """A line starts with what every line has; the time is UTC in ISO form."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    before = datetime.now(UTC)
    journal.event("rolled back", level="warning", route="support", evidence={"failed": 3})
    journal.close()
    (line,) = lines(stream)
    assert ["timestamp", "level", "event", "route", "evidence"] == list(line)
    assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    expected = {"level": "warning", "event": "rolled back", "route": "support", "evidence": {"failed": 3}}
    assert expected == line


def test_a_request_is_a_line_with_its_records_summary():
    """The same beginning as every line, then what the record says of itself, and a message where there is one."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    before = datetime.now(UTC)
    journal.request(FULL, "")
    journal.request(FULL, "the provider hung up")
    journal.close()
    plain, told = lines(stream)
    assert ["timestamp", "level", "event", *FULL.summary()] == list(plain)
    assert before <= datetime.fromisoformat(plain.pop("timestamp")) <= datetime.now(UTC)
    assert {"level": "info", "event": "request", **FULL.summary()} == plain
    assert ("request", "the provider hung up") == (told["event"], told["message"])


def test_a_line_has_the_time_of_its_event():
    """However late it is written."""
    stream = Gate()
    journal = JsonJournal(stream)
    journal.event("first")
    assert stream.reached.wait(30)
    journal.request(FULL, "")
    asked = datetime.now(UTC)
    stream.open.set()
    journal.close()
    assert datetime.fromisoformat(lines(stream)[1]["timestamp"]) <= asked


def test_the_level_is_one_of_three():
    """Info is the default, and a level that nobody knows is an error."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    journal.event("a")
    journal.event("b", level="warning")
    journal.event("c", level="error")
    journal.event("d", level="shout")
    journal.close()
    assert ["info", "warning", "error", "error"] == [line["level"] for line in lines(stream)]


def test_fields_cannot_take_the_names_of_the_line():
    """A field called event or timestamp is kept beside the line's own; percent signs are plain text."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    journal.event("100 %s", event=1, timestamp=2, name=4, self=3)
    journal.close()
    (line,) = lines(stream)
    assert "100 %s" == line["event"]
    assert (1, 2, 3, 4) == (line["event_"], line["timestamp_"], line["self_"], line["name"])


def test_injected_lines_stay_inside_their_field():
    """What a client sends cannot forge a second event."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    forged = 'x"}\r\n{"level":"error","event":"forged"}\x1b[1A'
    journal.event(forged, route=forged, **{forged: forged})
    journal.close()
    (line,) = lines(stream)
    assert (forged, forged, forged) == (line["event"], line["route"], line[forged])


def test_lines_keep_their_order_over_many_batches():
    """More lines than one batch come out whole and in order."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    for number in range(3_000):
        journal.event("n", number=number)
    journal.close()
    assert list(range(3_000)) == [line["number"] for line in lines(stream)]


def test_a_full_queue_drops_and_says_so():
    """A caller never waits for a slow stream: what there is no room for is counted in a line of its own."""
    stream = Gate()
    journal = JsonJournal(stream, capacity=3)
    journal.event("first")
    assert stream.reached.wait(30)
    for number in range(8):
        journal.event("n", number=number)
    assert "JsonJournal(3 lines waiting, 5 missing)" == repr(journal)
    stream.open.set()
    journal.close()
    written = lines(stream)
    assert ["first", "n", "n", "n", "log lines dropped"] == [line["event"] for line in written]
    assert ("warning", 5) == (written[-1]["level"], written[-1]["count"])


def test_a_stream_that_fails_loses_lines_and_not_the_thread():
    """Lines that the stream refuses are counted, and the next that goes through says how many are missing."""
    stream = Broken(failures=2)
    journal = JsonJournal(stream)
    journal.event("lost")
    assert stream.reached.acquire(timeout=30)
    journal.event("lost too")
    assert stream.reached.acquire(timeout=30)
    journal.event("written")
    journal.close()
    written = lines(stream)
    assert ["written", "log lines dropped"] == [line["event"] for line in written]
    assert 2 == written[-1]["count"]


def test_closing_twice_is_as_closing_once_and_later_events_are_lost():
    """Shutdown code may close and log in any order."""
    stream = io.BytesIO()
    journal = JsonJournal(stream)
    journal.event("last")
    journal.close()
    journal.close()
    journal.event("late")
    assert ["last"] == [line["event"] for line in lines(stream)]


@pytest.mark.parametrize("capacity", [1, 2])
def test_closing_does_not_wait_for_ever(capacity):
    """A stream that hangs holds a shutdown up for a moment only."""
    stream = Gate()
    journal = JsonJournal(stream, capacity=capacity)
    journal.event("hangs")
    assert stream.reached.wait(30)
    journal.event("waits")
    journal.close(patience=0.01)
    assert not stream.open.is_set()
    stream.open.set()


def test_standard_error_is_the_default(capfdbinary):
    """Without a stream the log goes where containers look for it."""
    journal = JsonJournal()
    journal.event("hello")
    journal.close()
    assert b'"event":"hello"' in capfdbinary.readouterr().err


@pytest.mark.skipif(not ALWAYS_FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_takes_no_thread_down():
    """Writing to a full device fails, and the journal lives on."""
    with ALWAYS_FULL.open("wb", buffering=0) as stream:
        journal = JsonJournal(stream)
        journal.event("lost")
        journal.close()
    assert "JsonJournal(0 lines waiting, 1 missing)" == repr(journal)
