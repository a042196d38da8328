"""How long each pure part of a request's way takes: `.venv/bin/pytest -m bench tests/benchmarks -s` prints a table.

Nothing is asserted about time, since a slow day is not a fault; that the parts run at all is.
"""

import math
import timeit
from collections.abc import Callable

import pytest

from gateway.core.bucket import Salt
from gateway.proxy.admission import admit_head
from gateway.proxy.assignment import assigned
from gateway.proxy.relay import answer_headers
from gateway.proxy.settlement import settle
from gateway.proxy.shaping import shape
from gateway.wire import json_body
from gateway.wire.dialects import DIALECTS
from gateway.wire.http_reader import AnswerReader
from gateway.wire.http_writer import answer_head, request_head
from gateway.wire.sse import EventSplitter
from tests.benchmarks.desk import ANSWER_HEADERS, HEAD, LIMITS, Desk, event

pytestmark = pytest.mark.bench

REPEATS = 7
REPEAT_SECONDS = 0.05

OPENAI = DIALECTS["openai"]
LINE = b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.example.com\r\n"
DATE = b"date: Sat, 17 Oct 2026 12:00:00 GMT\r\n"

Act = Callable[[], object]


def bucket(_desk: Desk) -> Act:
    """The place of a unit in a split."""
    salt = Salt("v1/rollout/desk/1.0.0/1.1.0/1")
    return lambda: salt.bucket("user-1")


def body_parse(desk: Desk) -> Act:
    """A body read strictly."""
    return lambda: json_body.parse(desk.body)


def body_splice(desk: Desk) -> Act:
    """What a release pins put into a body."""
    release, parsed = desk.route.stable, json_body.parse(desk.body)
    edits = {**release.encoded_params, "model": release.model.encoded_name}
    first = {"messages": json_body.dump({"role": "system", "content": release.prompt.text})}
    return lambda: json_body.splice(desk.body, edits, first=first, parsed=parsed)


def head_admission(desk: Desk) -> Act:
    """A caller known by its head."""
    return lambda: admit_head(HEAD, desk.endpoint, desk.snapshot, LIMITS)


def body_admission(desk: Desk) -> Act:
    """A body read, its route found, its digest taken."""
    return desk.admit


def assignment(desk: Desk) -> Act:
    """The unit found and the release assigned; the bucket is part of it."""
    return lambda: assigned(desk.asked, desk.around.follow_ups)


def shaping(desk: Desk) -> Act:
    """The request as it leaves; the splice is part of it."""
    return lambda: shape(desk.asked, desk.route.stable)


def writing_a_request_head(desk: Desk) -> Act:
    """The head of the request that leaves, as bytes."""
    request = shape(desk.asked, desk.route.stable).request
    return lambda: request_head(LINE, request.headers, len(request.body))


def reading_an_answer(desk: Desk) -> Act:
    """A whole answer taken in from one read."""
    reader = AnswerReader()
    received = answer_head(200, b"", ANSWER_HEADERS, b"content-length: %d\r\n\r\n" % len(desk.answer)) + desk.answer

    def read() -> None:
        reader.expect()
        reader.feed(received)

    read()
    assert (True, True) == (reader.is_whole, reader.is_reusable)
    return read


def scan_of_an_answer(desk: Desk) -> Act:
    """Usage and served model of a whole answer."""
    assert OPENAI.scan_answer("chat", desk.answer).usage is not None
    return lambda: OPENAI.scan_answer("chat", desk.answer)


def scan_of_an_event(_desk: Desk) -> Act:
    """One event in the middle of a stream, as it is looked at and passed on."""
    scanner, raw = OPENAI.stream_scanner("chat", hide_usage=True), event()
    assert (True, True) == (scanner.event(raw) is not None, scanner.scan.content)
    return lambda: scanner.event(raw)


def splitting_of_an_event(_desk: Desk) -> Act:
    """The same event cut out of what has arrived."""
    splitter, raw = EventSplitter(), event()
    assert [raw] == splitter.feed(raw)
    return lambda: splitter.feed(raw)


def writing_an_answer_head(desk: Desk) -> Act:
    """The head of the answer that goes back: the provider's fields that may pass, and Pinion's own."""
    own = [(b"x-request-id", b"req_0123456789abcdef"), *desk.way.headers]
    return lambda: answer_head(200, DATE, answer_headers(ANSWER_HEADERS, own), b"transfer-encoding: chunked\r\n\r\n")


def settlement(desk: Desk) -> Act:
    """A record made, the breaker told, the meters counted."""
    return lambda: settle(desk.around, desk.way, desk.attempt, desk.ending)


PARTS = (
    head_admission,
    body_parse,
    body_admission,
    bucket,
    assignment,
    body_splice,
    shaping,
    writing_a_request_head,
    reading_an_answer,
    scan_of_an_answer,
    splitting_of_an_event,
    scan_of_an_event,
    writing_an_answer_head,
    settlement,
)


@pytest.fixture(scope="module")
def table():
    """The rows of all parts, printed once the last of them is known."""
    rows: list[tuple[str, float, int]] = []
    yield rows
    print(f"\n\n{'part':<24}{'µs':>8}{'calls':>10}")  # noqa: T201  # the table is what this is run for
    for part, microseconds, calls in rows:
        print(f"{part:<24}{microseconds:>8.2f}{calls:>10,}")  # noqa: T201


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_part_is_timed(part: Callable[[Desk], Act], table: list[tuple[str, float, int]]):
    """The least of several repeats, each long enough for the clock; it is the one that was disturbed the least."""
    timer = timeit.Timer(part(Desk()))
    calls = math.ceil(REPEAT_SECONDS * 100 / timer.timeit(100))
    least = min(timer.repeat(REPEATS, calls)) / calls
    table.append((part.__name__.replace("_", " "), least * 1e6, calls * REPEATS))
