"""One attempt under way: what it hears, keeps and says of itself."""

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.provider import Timeouts
from gateway.core.route import Leg
from gateway.proxy.attempt import MAX_ERROR_BODY, Attempt
from gateway.proxy.relay import HOLD_SECONDS, relay_for
from gateway.wire.dialects import DIALECTS
from tests.proxy.playbook import Call, provider, release

SOURCE = provider(timeouts=Timeouts(first_byte=5, idle=3, total=20))
STREAM = [(b"content-type", b"text/event-stream")]


class Hearer:
    """Port `Hearer`: notes what it is told."""

    def __init__(self):
        self.heard = []

    def now(self):
        return 7.0

    def head_came(self, attempt):
        self.heard.append(attempt.status)

    def data_came(self, _attempt, data):
        self.heard.append(data)

    def end_came(self, _attempt):
        self.heard.append("end")

    def failure_came(self, _attempt, fault):
        self.heard.append(fault.kind)


def made(hearer=None):
    """An attempt of stable, sent at 0."""
    leg = Leg(release("1.0.0", provider=SOURCE), "stable", is_stable=True)
    attempt = Attempt(hearer, None, 0, leg, None, sent_at=0.0)
    attempt.call = Call(None, attempt)
    return attempt


def test_it_tells_its_exchange_what_it_hears():
    """In order, with when the body came."""
    hearer = Hearer()
    attempt = made(hearer)
    attempt.upstream_head(200, STREAM)
    attempt.upstream_data(b"a")
    attempt.upstream_data(b"b")
    attempt.upstream_end()
    assert [200, b"a", b"b", "end"] == hearer.heard
    assert (7.0, 7.0, STREAM) == (attempt.first_at, attempt.heard_at, attempt.headers)


def test_without_an_exchange_it_is_deaf():
    """Nothing is kept, nothing is told."""
    attempt = made()
    attempt.upstream_head(200, STREAM)
    attempt.upstream_data(b"a")
    attempt.upstream_end()
    attempt.upstream_failed(UpstreamFault("cut", ""))
    assert (0, [], None) == (attempt.status, attempt.headers, attempt.first_at)


@pytest.mark.parametrize("ending", ["end", "failed"])
def test_a_call_that_is_over_is_never_touched(ending):
    """Its connection may serve another request by now."""
    attempt = made(Hearer())
    call = attempt.call
    attempt.upstream_end() if ending == "end" else attempt.upstream_failed(UpstreamFault("cut", ""))
    attempt.pause()
    attempt.resume(9.0)
    attempt.cancel()
    assert (False, False, 9.0) == (call.paused, call.cancelled, attempt.heard_at)


def test_cancelling_gives_the_call_up_once():
    """And makes it deaf."""
    attempt = made(Hearer())
    call = attempt.call
    attempt.cancel()
    assert (True, None, None) == (call.cancelled, attempt.call, attempt.exchange)
    attempt.cancel()


@pytest.mark.parametrize(
    ("now", "kind"),
    [(5.0, None), (5.1, "first_byte"), (20.1, "total")],
)
def test_deadlines_before_the_body(now, kind):
    """First byte and total count from the sending."""
    fault = made().overdue(now)
    assert kind == (fault and fault.kind)


@pytest.mark.parametrize(
    ("now", "kind"),
    [(10.0, None), (10.1, "idle"), (20.1, "total")],
)
def test_deadlines_in_the_body(now, kind):
    """Idle counts from the newest piece, which came at 7."""
    attempt = made(Hearer())
    attempt.upstream_data(b"a")
    fault = attempt.overdue(now)
    assert kind == (fault and fault.kind)
    if fault is not None:
        assert "openai-sim" in fault.message


def test_an_error_is_kept_as_far_as_it_would_be_passed_on():
    """One over 64 KiB is not kept whole, so nothing of it is passed on."""
    attempt = made()
    attempt.keep_error(b"x" * MAX_ERROR_BODY)
    assert MAX_ERROR_BODY == len(attempt.error_body())
    attempt.keep_error(b"x")
    attempt.keep_error(b"x" * MAX_ERROR_BODY)
    assert (b"", MAX_ERROR_BODY + 1) == (attempt.error_body(), len(attempt.held))


def test_what_is_held_is_given_once():
    """Then nothing is held."""
    attempt = made()
    attempt.held += b"abc"
    assert (b"abc", b"") == (attempt.take_held(), attempt.take_held())


def test_only_a_stream_that_has_begun_can_be_held_too_long():
    """Errors and whole answers wait for their end."""
    attempt = made(Hearer())
    late = 7.0 + HOLD_SECONDS + 0.1
    attempt.upstream_data(b"a")
    attempt.held += b"a"
    assert not attempt.is_held_too_long(late)
    attempt.relay = relay_for(DIALECTS["openai"], "chat", {}, hide_usage=False)
    assert not attempt.is_held_too_long(late)
    attempt.relay = relay_for(DIALECTS["openai"], "chat", dict(STREAM), hide_usage=False)
    assert [False, True] == [attempt.is_held_too_long(now) for now in (late - 0.2, late)]
    attempt.take_held()
    assert not attempt.is_held_too_long(late)


def test_without_a_relay_nothing_is_known_of_an_answer():
    """No scan, no end, and no form for a failure."""
    attempt = made()
    assert (None, False, b"") == (attempt.scan, attempt.is_answered, attempt.failure_event("cut"))


def test_it_tells_what_it_is():
    """Release, track and status."""
    assert "<Attempt desk/1.0.0 stable 0>" == repr(made())
