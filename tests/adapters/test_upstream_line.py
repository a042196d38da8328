"""One connection: what its call and its pool hear of it, in which order, and that each hears it once."""

import gc
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.upstream_line import Line
from gateway.wire.http_reader import AnswerReader
from tests.adapters.fake_wire import Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
WHOLE = HEAD + b"{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

News = list[tuple[str, object]]


class Writes:
    """Writes that nothing gathers: each goes out at once."""

    def write(self, transport, data) -> None:
        transport.write(data)


class Keeper:
    """Port `Keeper`: keeps what it hears."""

    def __init__(self, news: News) -> None:
        self.news = news

    def freed(self, line: Line) -> None:
        assert line.is_open
        self.news.append(("freed", line))

    def closed(self, line: Line) -> None:
        assert not line.is_open
        self.news.append(("closed", line))


class Carried:
    """Port `Carried`: keeps what it hears, and does what `upon` says when it hears it."""

    def __init__(self, news: News, **upon) -> None:
        self.news = news
        self.upon = upon

    def hear(self, what: str, value: object) -> None:
        self.news.append((what, value))
        self.upon.get(what, lambda: None)()

    def head_came(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert all(name == name.lower() for name, _ in headers)
        self.hear("head", status)

    def data_came(self, data: bytes) -> None:
        self.hear("data", data)

    def end_came(self) -> None:
        self.hear("end", None)

    def broke(self, line: Line) -> None:
        self.hear("broke", line)


class Scene:
    """A connection that stands, and everything that is heard of it, in order."""

    def __init__(self) -> None:
        self.news: News = []
        self.wire = Wire()
        self.line = Line(Keeper(self.news), Writes())
        self.line.connection_made(self.wire)

    def carry(self, **upon) -> Carried:
        """Begin a call."""
        call = Carried(self.news, **upon)
        self.line.carry(call, b"head|", b"body")
        return call

    @property
    def kinds(self) -> list[str]:
        """What was heard, without the values."""
        return [what for what, _ in self.news]


@pytest.fixture
def scene():
    """A connection that stands."""
    return Scene()


def test_a_call_and_its_answer(scene):
    """The request is sent whole; the connection is free again before the call hears that its answer is whole."""
    scene.carry()
    assert [b"head|body"] == scene.wire.sent
    assert (False, False) == (scene.line.has_heard, scene.line.has_head)
    scene.line.data_received(HEAD[:5])
    assert (True, False, []) == (scene.line.has_heard, scene.line.has_head, scene.news)
    scene.line.data_received(HEAD[5:] + b"{")
    assert scene.line.has_head
    assert not scene.line.is_kept
    scene.line.data_received(b"}")
    assert [("head", 200), ("data", b"{"), ("data", b"}"), ("freed", scene.line), ("end", None)] == scene.news
    assert scene.line.is_kept
    assert scene.line.is_open


def test_calls_one_after_the_other(scene):
    """A connection that is free carries another call, and what was heard for one is not heard for the next."""
    for _ in range(3):
        scene.news.clear()
        scene.carry()
        assert not scene.line.has_heard
        scene.line.data_received(WHOLE)
        assert [("head", 200), ("data", b"{}"), ("freed", scene.line), ("end", None)] == scene.news
    assert [b"head|body"] * 3 == scene.wire.sent


def test_the_next_call_may_begin_at_once(scene):
    """A pool gives a freed connection away at once; the first call still hears its end, and the second its answer."""
    later: News = []

    class Hurries(Keeper):
        def freed(self, line: Line) -> None:
            super().freed(line)
            if not later:
                line.carry(Carried(later), b"second", b"")
                later.append(("sent", None))

    scene.line = Line(Hurries(scene.news), Writes())
    scene.line.connection_made(scene.wire)
    scene.carry()
    scene.line.data_received(WHOLE)
    assert ["head", "data", "freed", "end"] == scene.kinds
    scene.line.data_received(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
    assert [("sent", None), ("head", 503), ("end", None)] == later
    assert [b"head|body", b"second"] == scene.wire.sent


@pytest.mark.parametrize(
    "answer",
    [CLOSES, WHOLE + b"surplus", WHOLE + WHOLE, WHOLE.replace(b"1.1", b"1.0")],
    ids=["close", "surplus", "two", "HTTP/1.0"],
)
def test_a_connection_that_is_not_to_be_used_again_closes(scene, answer):
    """It closes before the call hears of its end."""
    scene.carry()
    scene.line.data_received(answer)
    assert [("head", 200), ("data", b"{}"), ("closed", scene.line), ("end", None)] == scene.news
    assert scene.wire.is_aborted


def test_an_answer_before_the_whole_request_was_sent(scene):
    """The rest of the request would stand before the next one, so the connection closes."""
    scene.carry()
    scene.wire.unsent = 1
    scene.line.data_received(WHOLE)
    assert ["head", "data", "closed", "end"] == scene.kinds


def test_an_answer_on_a_connection_that_is_closing(scene):
    """The event loop knows of an end already: the answer counts, the connection does not."""
    scene.carry()
    scene.wire.is_ending = True
    scene.line.data_received(WHOLE)
    assert ["head", "data", "closed", "end"] == scene.kinds


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (b"", []),
        (b"HTTP/1.1 2", []),
        (HEAD + b"{", ["head", "data"]),
        (CHUNKED + b"1\r\na\r\n", ["head", "data"]),
    ],
)
@pytest.mark.parametrize("ending", ["eof", "lost", "reset"])
def test_an_end_within_an_answer(scene, answer, heard, ending):
    """The call hears that it broke while the connection still counts, so that a second one takes its place."""
    scene.carry()
    if answer:
        scene.line.data_received(answer)
    if ending == "eof":
        scene.line.eof_received()
    scene.line.connection_lost(ConnectionResetError() if ending == "reset" else None)
    assert [*heard, "broke", "closed"] == scene.kinds


@pytest.mark.parametrize("ending", ["eof", "lost"])
def test_an_end_that_is_the_answers_own(scene, ending):
    """A body without a length ends with its connection."""
    scene.carry()
    scene.line.data_received(ENDLESS + b"all")
    if ending == "eof":
        scene.line.eof_received()
    scene.line.connection_lost(None)
    assert [("head", 200), ("data", b"all"), ("closed", scene.line), ("end", None)] == scene.news


def test_a_reset_is_no_proper_end(scene):
    """A body without a length that ends in a reset is cut."""
    scene.carry()
    scene.line.data_received(ENDLESS + b"all")
    scene.line.connection_lost(ConnectionResetError())
    assert ["head", "data", "broke", "closed"] == scene.kinds


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (b"SSH-2.0\r\n", ["broke", "closed"]),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", ["broke", "closed"]),
        (b"HTTP/1.1 099 X\r\nContent-Length: 1\r\n\r\na", ["broke", "closed"]),
        (CHUNKED + b"nonsense", ["head", "broke", "closed"]),
        (CHUNKED + b"1\r\na\r\nnonsense", ["head", "data", "broke", "closed"]),
    ],
)
def test_what_is_no_answer(scene, answer, heard):
    """A call hears nothing of what came before a head was whole, and everything good that came after it."""
    scene.carry()
    scene.line.data_received(answer)
    assert heard == scene.kinds
    assert scene.wire.is_aborted


def test_a_call_that_raises_does_not_keep_the_connection(scene):
    """A fault in a call that hears of a break is the event loop's to report; the connection is closed all the same."""

    def fault():
        raise LookupError

    scene.carry(broke=fault)
    with pytest.raises(LookupError):
        scene.line.data_received(b"nonsense")
    assert ["broke", "closed"] == scene.kinds


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("event", ["data", "eof", "lost", "reset"])
def test_what_comes_on_an_idle_connection_closes_it(scene, kept, event):
    """Nothing was asked for: bytes and ends are nobody's."""
    if kept:
        scene.carry()
        scene.line.data_received(WHOLE)
        scene.news.clear()
    match event:
        case "data":
            scene.line.data_received(WHOLE)
        case "eof":
            scene.line.eof_received()
        case "lost":
            scene.line.connection_lost(None)
        case "reset":
            scene.line.connection_lost(ConnectionResetError())
    assert [("closed", scene.line)] == scene.news
    scene.line.connection_lost(None)
    assert ["closed"] == scene.kinds


@pytest.mark.parametrize("answer", [b"", HEAD[:9], HEAD + b"{"])
def test_after_a_drop_nothing_is_heard(scene, answer):
    """The call is forgotten, the pool hears once that the connection is gone."""
    scene.carry()
    scene.line.data_received(answer)
    scene.news.clear()
    scene.line.drop()
    scene.line.drop()
    assert scene.wire.is_aborted
    assert not scene.line.is_open
    scene.line.data_received(WHOLE)
    scene.line.eof_received()
    scene.line.connection_lost(None)
    assert [("closed", scene.line)] == scene.news


@pytest.mark.parametrize(("moment", "heard"), [("head", ["head", "closed"]), ("data", ["head", "data", "closed"])])
def test_a_drop_from_within_the_call(scene, moment, heard):
    """A call may give up while it hears of something; that is the last it hears, also when all of it has come."""
    scene.carry(**{moment: scene.line.drop})
    scene.line.data_received(WHOLE)
    assert heard == scene.kinds


def test_pausing(scene):
    """Reading stops once and goes on once, however often it is asked for."""
    scene.carry()
    for _ in range(2):
        scene.line.pause()
        assert not scene.wire.is_reading
    for _ in range(2):
        scene.line.resume()
        assert scene.wire.is_reading


def test_a_free_connection_is_read_from(scene):
    """A call that ends while it is paused does not leave the connection deaf."""
    scene.carry(data=scene.line.pause)
    scene.line.data_received(WHOLE)
    assert ["head", "data", "freed", "end"] == scene.kinds
    assert scene.wire.is_reading


def test_a_connection_that_is_closing_is_not_paused(scene):
    """Transports that close do not bear being told to read or not to."""
    scene.carry()
    scene.line.pause()
    scene.wire.is_ending = True
    scene.line.resume()
    assert not scene.wire.is_reading
    other = Scene()
    other.carry()
    other.wire.is_ending = True
    other.line.pause()
    assert other.wire.is_reading


def test_a_connection_that_was_never_made():
    """One that failed to be opened is not open, and dropping it tells nobody."""
    news: News = []
    line = Line(Keeper(news), Writes())
    assert not line.is_open
    line.drop()
    assert [] == news


def kept_by_a_cycle(work) -> list[AnswerReader]:
    """What is left of connections' readers after `work`, with no collection since."""
    gc.collect()
    gc.disable()
    try:
        work()
        return [each for each in gc.get_objects() if isinstance(each, AnswerReader)]
    finally:
        gc.enable()


@pytest.mark.parametrize("end", ["drop", "eof", "lost", "reset", "answered"])
def test_a_connection_leaves_nothing_to_be_collected(end):
    """Reader and parser hold each other: let go at the end, they go at once; after a long stream they never would."""

    def carry_a_call() -> None:
        scene = Scene()
        scene.carry()
        scene.line.data_received(CLOSES if end == "answered" else HEAD)
        happen(scene, [], end)
        assert not scene.line.is_open
        scene.news.clear()

    assert [] == kept_by_a_cycle(carry_a_call)


def test_a_connection_that_fails_to_be_opened_leaves_nothing_to_be_collected():
    """It has read nothing."""
    assert [] == kept_by_a_cycle(lambda: Line(Keeper([]), Writes()).drop())


def test_the_event_loop_knows_of_an_end_first(scene):
    """A connection that its transport is closing is not open, though nothing was said of it yet."""
    assert scene.line.is_open
    scene.wire.is_ending = True
    assert not scene.line.is_open


PIECES = [WHOLE, HEAD, b"{", b"}", b"{}", CHUNKED, b"1\r\na\r\n", b"0\r\n\r\n", ENDLESS, CLOSES, b"H", b"\r\n", b"x"]
EVENTS = ["carry", "eof", "lost", "reset", "drop", "pause", "resume", "unsent", "sent"]


def happen(scene, calls, event):
    """Let an event happen if it can."""
    if event == "carry" and scene.line.is_open and scene.kinds.count("freed") == len(calls):
        calls.append(scene.carry())
        calls[-1].news = []
    elif event in {"eof", "lost", "reset"} and not scene.wire.is_ending:
        scene.wire.is_ending = True  # the transport closes by itself
        if event == "eof":
            scene.line.eof_received()
        scene.line.connection_lost(ConnectionResetError() if event == "reset" else None)
    elif event in {"unsent", "sent"}:
        scene.wire.unsent = int(event == "unsent")
    elif event in {"drop", "pause", "resume"}:
        getattr(scene.line, event)()
    elif isinstance(event, bytes) and not scene.wire.is_closing():
        scene.line.data_received(event)


def is_in_order(kinds):
    """Whether a call heard a head, then data, then one end, or the beginning of that."""
    return re.fullmatch(
        "(head (data )*)?((broke |(?<=head )end |(?<=data )end ))?", "".join(f"{kind} " for kind in kinds)
    )


@given(st.lists(st.one_of(st.sampled_from(EVENTS), st.sampled_from(PIECES)), max_size=25))
@settings(max_examples=300)
def test_a_connection_is_idle_or_carries_a_call_or_is_closed(events):
    """Whatever happens in whatever order: a call hears of one end, and the pool once and last that it is closed."""
    scene, calls = Scene(), []
    for event in events:
        happen(scene, calls, event)
        kinds = [[what for what, _ in call.news] for call in calls]
        assert ["freed"] * scene.kinds.count("freed") + ["closed"] * (not scene.line.is_open) == scene.kinds
        assert all(map(is_in_order, kinds))
        assert all(heard[-1] == "end" for heard in kinds[:-1])
        if kinds and not scene.line.is_open and "drop" not in events:
            assert kinds[-1][-1] in {"end", "broke"}
