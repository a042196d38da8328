"""One request and its answer, with the connection and the exchange played by hand."""

import asyncio

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.adapters.edge_turn import GovernedTurn, OtherTurn
from gateway.core.errors import ClientFault, Malformed
from gateway.core.head import Head
from gateway.wire.http_writer import Unsendable
from tests.adapters.edge_stage import GOVERNED, MAX_BODY, Stage, nothing

FIELDS = b"server: here\r\n"
TYPE = b"content-type: text/plain\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + FIELDS + TYPE


class Connection:
    """The turn's connection: keeps what it was asked."""

    def __init__(self) -> None:
        self.exchanges = Stage()
        self.is_write_paused = False
        self.sent: list[bytes] = []
        self.asked: list[str] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def send_all(self, pieces: list[bytes]) -> None:
        self.sent.append(b"".join(pieces))

    def fields(self) -> bytes:
        return FIELDS

    def turn_over(self, turn: GovernedTurn) -> None:
        assert turn.is_over
        self.asked.append("turn over")

    def cut(self, *, hard: bool) -> None:
        self.asked.append("hard cut" if hard else "cut")


class Played:
    """A turn, with its connection and its exchange."""

    def __init__(self, method="POST", *, is_old=False, expects_continue=False, script=nothing) -> None:
        self.connection = Connection()
        self.stage = self.connection.exchanges
        self.stage.script = script
        self.turn = GovernedTurn(
            self.connection,
            Head(method, GOVERNED, b"", []),
            is_old=is_old,
            keeps_alive=not is_old,
            expects_continue=expects_continue,
        )

    def whole(self, *pieces: bytes):
        """Give it its whole body, and its turn."""
        for piece in pieces:
            self.turn.take(piece)
        self.turn.is_whole = True
        self.turn.go_on()
        return self

    @property
    def exchange(self):
        return self.stage.opened[0]

    @property
    def sent(self):
        return self.connection.sent


def answered(*pieces: bytes, status=200, length=None):
    """A script that answers by pieces."""

    def script(exchange):
        exchange.begin(status, length=length)
        for piece in pieces:
            exchange.downstream.write(piece)
        exchange.downstream.finish()

    return script


CHUNKED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"


@pytest.mark.parametrize(
    ("method", "is_old", "status", "length", "expected"),
    [
        ("POST", False, 200, None, [OK + CHUNKED + b"\r\n3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]),
        ("POST", False, 200, 6, [OK + b"content-length: 6\r\n\r\none", b"two"]),
        ("POST", True, 200, None, [OK + CLOSE + b"\r\none", b"two"]),
        ("POST", True, 200, 6, [OK + b"content-length: 6\r\n" + CLOSE + b"\r\none", b"two"]),
        ("HEAD", False, 200, None, [OK + b"\r\n"]),
        ("HEAD", False, 200, 6, [OK + b"content-length: 6\r\n\r\n"]),
        ("POST", False, 204, None, [b"HTTP/1.1 204 No Content\r\n" + FIELDS + TYPE + b"\r\n"]),
        ("POST", False, 304, None, [b"HTTP/1.1 304 Not Modified\r\n" + FIELDS + TYPE + b"\r\n"]),
    ],
)
def test_an_answer_is_framed_as_its_client_and_status_ask(method, is_old, status, length, expected):
    """By its length, in chunks, or by the end of the connection; HEAD, 204 and 304 have no body."""
    played = Played(method, is_old=is_old, script=answered(b"one", b"two", status=status, length=length)).whole()

    assert expected == played.sent
    assert ["turn over"] == played.connection.asked
    assert played.stage.opened == played.stage.closed


@pytest.mark.parametrize(("length", "expected"), [(None, CHUNKED + b"\r\n"), (6, b"content-length: 6\r\n\r\n")])
def test_a_head_goes_with_the_first_piece(length, expected):
    """Not before there is one; an empty one sends it alone, and ends no chunked body."""
    played = Played(script=lambda exchange: exchange.begin(200, length=length)).whole()
    assert [] == played.sent
    assert not played.turn.has_begun_answer

    played.turn.write(b"")
    assert [OK + expected] == played.sent
    assert played.turn.has_begun_answer


def test_an_answer_without_a_piece_is_its_head_and_its_end():
    """One that never wrote anything is whole nevertheless."""
    assert [OK + CHUNKED + b"\r\n", b"0\r\n\r\n"] == Played(script=answered()).whole().sent


def test_nothing_follows_the_end():
    """What an exchange still does after it changes nothing, and its exchange is closed once."""
    played = Played(script=answered(b"one")).whole()
    sent = list(played.sent)
    played.turn.write(b"two")
    played.turn.finish()
    played.turn.abort()
    played.turn.gone()

    assert sent == played.sent
    assert ["turn over"] == played.connection.asked
    assert ([played.exchange], False) == (played.stage.closed, played.turn.has_exchange)
    assert ["body"] == played.exchange.events


@pytest.mark.parametrize(("is_old", "cut"), [(False, "cut"), (True, "hard cut")])
def test_nothing_follows_a_cut(is_old, cut):
    """Where a close alone would end the body, the cut is a hard one."""
    played = Played(is_old=is_old, script=lambda exchange: (exchange.begin(), exchange.downstream.abort())).whole()
    played.turn.write(b"one")
    played.turn.finish()
    played.turn.abort()

    assert ([], [cut]) == (played.sent, played.connection.asked)
    assert [played.exchange] == played.stage.closed


def test_a_head_that_cannot_be_sent_is_not_begun():
    """The fault is the caller's to handle, who can still be told of it."""
    played = Played().whole()
    played.exchange.begin(200, (b"x", b"a\r\nb: c"))
    with pytest.raises(Unsendable):
        played.turn.write(b"one")

    assert ([], False) == (played.sent, played.turn.has_begun_answer)


def test_a_body_is_given_whole():
    """Its pieces put together, and only when it is the turn's time and the last one is in."""
    played = Played()
    played.turn.take(b"one")
    assert [] == played.stage.opened
    played.turn.go_on()
    assert [] == played.exchange.events
    played.whole(b"two")
    assert (["body"], b"onetwo") == (played.exchange.events, played.exchange.whole)
    played.turn.go_on()
    assert ["body"] == played.exchange.events


@pytest.mark.parametrize("rest", [b"", b"x" * 10])
def test_a_body_over_the_limit_is_refused_and_not_kept(rest):
    """As soon as it is, whatever still comes."""
    played = Played()
    for piece in (b"x" * MAX_BODY, b"x", rest):
        played.turn.take(piece)
    assert [] == played.turn._parts
    played.turn.go_on()

    assert [413] == [fault.status for fault in played.exchange.faults]
    assert ["turn over"] == played.connection.asked
    assert not played.turn.keeps_alive


def test_a_whole_body_over_the_limit_keeps_the_connection():
    """Nothing of it is left to be taken for a next request."""
    played = Played().whole(b"x" * MAX_BODY, b"x")

    assert [413] == [fault.status for fault in played.exchange.faults]
    assert played.turn.keeps_alive


def test_a_refused_head_closes_its_exchange_once_it_is_known():
    """Its answer is over before the exchange has been handed over."""
    played = Played()
    played.stage.refusal = ClientFault("no")
    played.turn.go_on()

    assert [played.exchange] == played.stage.closed
    assert [OK.replace(b"200 OK", b"400 Bad Request") + b"content-length: 2\r\n" + CLOSE + b"\r\nno"] == played.sent


def test_a_request_that_cannot_be_received_is_refused_by_its_exchange():
    """One that has not begun does not begin for that."""
    played = Played()
    played.turn.refuse(Malformed("what is that"))
    assert [] == played.stage.opened
    played.turn.go_on()
    played.turn.refuse(Malformed("what is that"))

    assert ["refused"] == played.exchange.events
    assert [played.exchange] == played.stage.closed


def test_a_client_is_told_to_go_on_once():
    """When it is its turn, and only while its body is wanted and not there."""
    played = Played(expects_continue=True)
    played.turn.go_on()
    played.turn.go_on()

    assert [b"HTTP/1.1 100 Continue\r\n\r\n"] == played.sent
    assert [] == Played(expects_continue=True).whole(b"{}").sent


def test_a_client_that_leaves_is_told_of_once():
    """The exchange hears of it and is closed; one that never began is not there to be told."""
    played = Played().whole(b"{}")
    played.turn.gone()
    played.turn.gone()
    assert ["body", "gone"] == played.exchange.events
    assert [played.exchange] == played.stage.closed

    unbegun = Played()
    unbegun.turn.gone()
    assert ([], [], True) == (unbegun.stage.opened, unbegun.stage.closed, unbegun.turn.is_over)


def test_flow_control_reaches_an_exchange_that_has_begun():
    """One that has not has nothing to hold back."""
    played = Played()
    played.turn.pause()
    played.turn.resume()
    played.whole()
    played.turn.pause()
    played.turn.resume()

    assert ["body", "pause", "resume"] == played.exchange.events


def test_an_exchange_that_is_asked_while_bytes_pile_up_starts_paused():
    """It has not heard of that before; one that has answered at once does not hear of it at all."""
    played = Played()
    played.connection.is_write_paused = True
    assert ["body", "pause"] == played.whole().exchange.events

    played = Played(script=answered(b"one"))
    played.connection.is_write_paused = True
    assert ["body"] == played.whole().exchange.events


def test_turns_say_what_they_are():
    """For whoever reads a log."""
    played = Played()
    played.turn.take(b"12")
    assert f"<GovernedTurn {GOVERNED} 2 bytes, not begun>" == repr(played.turn)
    played.turn.go_on()
    assert f"<GovernedTurn {GOVERNED} 2 bytes, <Exchange []>>" == repr(played.turn)


def cycle() -> RequestResponseCycle:
    """A request of uvicorn's, as far as a turn knows it."""
    outside = dict.fromkeys(("scope", "transport", "flow", "logger", "access_logger", "on_response"))
    return RequestResponseCycle(
        **outside,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
    )


def test_another_turn_begins_once():
    """However often it may go on; its flow is uvicorn's own."""
    started = []
    turn = OtherTurn(cycle(), lambda: started.append(True))
    turn.go_on()
    turn.go_on()
    turn.pause()
    turn.resume()

    assert [True] == started
    assert not turn.has_exchange


def test_another_turn_is_what_uvicorn_says():
    """Whether it has begun, is whole, is over and keeps its connection."""
    played = cycle()
    turn = OtherTurn(played, lambda: None)
    assert (False, False, False, True) == (turn.has_begun_answer, turn.is_whole, turn.is_over, turn.keeps_alive)

    played.more_body, played.response_started, played.response_complete = False, True, True
    turn.keeps_alive = False
    assert (True, True, True, False) == (turn.has_begun_answer, turn.is_whole, turn.is_over, played.keep_alive)


def test_another_turn_tells_its_application_that_the_client_is_gone():
    """By the event that it waits for."""
    played = cycle()
    OtherTurn(played, lambda: None).gone()

    assert (True, True) == (played.disconnected, played.message_event.is_set())
