"""One request, held together: a synchronous state machine without I/O.

Events go in by method call: the head (at construction), the body, what the upstream says, the client's leaving, the
tick that carries deadlines, the drain. Acts come out through two ports, downstream and upstream. The law:

    state       event      becomes    what it means
    receiving   asked      trying     the body is whole and a release is assigned
    receiving   answered   closed     refused, before anything was sent upstream
    receiving   gone       closed     the client left
    trying      committed  relaying   the answer is worth sending: from here on no other release can answer
    trying      answered   closed     a whole answer, the provider's or Pinion's own, was sent at once
    trying      gone       closed     the client left
    relaying    answered   closed     the answer ended, well or badly
    relaying    gone       closed     the client left

Nothing that arrives in `closed` changes anything. An event without an entry raises.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from gateway.core.app import App
from gateway.core.breaker import Permit
from gateway.core.errors import ClientFault, Denied, KeyInDoubt, Overloaded, PinionError, Unavailable, UpstreamFault
from gateway.core.head import Head
from gateway.core.members import at_hand
from gateway.core.outcome import Outcome
from gateway.core.ports import Downstream, Headers
from gateway.proxy.admission import Caller, admit_another, admit_body, admit_head
from gateway.proxy.assignment import assigned
from gateway.proxy.attempt import Attempt
from gateway.proxy.attempts import Failure, fault_failure, in_band_failure, next_leg, status_failure
from gateway.proxy.refusal import Refusal, answer_failure, refuse
from gateway.proxy.relay import HOLD_BYTES, Relay, answer_headers, relay_for
from gateway.proxy.settlement import Ending, log_panic, log_refused, settle
from gateway.proxy.shaping import shape
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.verdicts import Verdicts
from gateway.proxy.way import Way
from gateway.wire import headers
from gateway.wire.dialects import DIALECTS
from gateway.wire.endpoint import Endpoint

WRITE_STALL_SECONDS = 60.0
"""How long a client may leave its answer unread before it is given up."""


@at_hand
class State(StrEnum):
    """Where an exchange stands."""

    receiving = "receiving"
    trying = "trying"
    relaying = "relaying"
    closed = "closed"


TRANSITIONS: dict[tuple[State, str], State] = {
    (State.receiving, "asked"): State.trying,
    (State.receiving, "answered"): State.closed,
    (State.receiving, "gone"): State.closed,
    (State.trying, "committed"): State.relaying,
    (State.trying, "answered"): State.closed,
    (State.trying, "gone"): State.closed,
    (State.relaying, "answered"): State.closed,
    (State.relaying, "gone"): State.closed,
}


class Exchange:
    """One request from its head to its settlement."""

    __slots__ = (
        "_around",
        "_attempt",
        "_caller",
        "_dialect",
        "_downstream",
        "_endpoint",
        "_paused_at",
        "_status",
        "_way",
        "now",
        "request_id",
        "state",
    )

    def __init__(
        self, around: Surroundings, downstream: Downstream, endpoint: Endpoint, head: Head, under_way: int
    ) -> None:
        """Begin with a request's head, beside so many others; a head that is refused is answered at once."""
        self._around = around
        self.now = around.clock.monotonic
        self._downstream = downstream
        self._endpoint = endpoint
        self._dialect = DIALECTS[endpoint.dialect_name]
        self.request_id = around.new_id()
        self.state = State.receiving
        self._caller: Caller | None = None
        self._way: Way | None = None
        self._attempt: Attempt | None = None
        self._paused_at: float | None = None
        self._status = 0
        try:
            admit_another(under_way, around.draw, around.limits)
            self._caller = admit_head(head, endpoint, around.snapshots.current, around.limits)
        except ClientFault as fault:
            self._refuse(fault)
            self._note(fault, head, None)
        except Overloaded as fault:
            around.meters.refused("overload")
            self._refuse(fault)
        except KeyInDoubt as fault:
            around.meters.refused("key_in_doubt")
            self._refuse(fault)

    def __repr__(self) -> str:
        return f"<Exchange {self.request_id} {self.state} {self._attempt or 'without an attempt'}>"

    @property
    def wants_body(self) -> bool:
        """Whether the request's body is still wanted; not once its head was refused."""
        return self.state is State.receiving

    # Events from the edge

    def refuse(self, fault: PinionError) -> None:
        """Answer a request that cannot be received."""
        if self.state is State.receiving:
            self._refuse(fault)

    def body(self, raw: bytes) -> None:
        """The request's body is complete."""
        if self.state is not State.receiving or self._caller is None:
            return
        around, now, app = self._around, self.now(), self._caller.app
        try:
            if app.limits:
                around.app_limits.take(app.name, around.clock.wall())
            asked = admit_body(self._caller, raw, around.snapshots.current, around.limits)
            budget = around.retry_budgets[asked.route.stable.model.provider.name]
            way = self._way = Way(self.request_id, asked, now, Verdicts(asked.route, around.breakers), budget)
            budget.requests += 1
            way.assigned(*assigned(asked, around.follow_ups))
            if around.breakers.returning:
                way.spare_returning(around.breakers, now)
        except ClientFault as fault:
            self._refuse(fault)
            self._note(fault, self._caller.head, self._caller.app)
            return
        self._become("asked")
        self._try_from(way, 0)

    def client_gone(self) -> None:
        """The client has left. An answer whose end it had seen counts as what it was."""
        if self.state is State.closed:
            return
        attempt = self._attempt
        if attempt is not None:
            attempt.cancel()
        if attempt is not None and attempt.is_answered:
            self._close_answered(attempt, _nobody, "gone")
        else:
            self._close(Outcome.cancelled, "the client left", _nobody, "gone")

    def pause(self) -> None:
        """The client reads too slowly: stop reading from the provider."""
        if self._attempt is not None and self._paused_at is None:
            self._paused_at = self.now()
            self._attempt.pause()

    def resume(self) -> None:
        """The client has caught up."""
        if self._attempt is not None and self._paused_at is not None:
            self._paused_at = None
            self._attempt.resume(self.now())

    def tick(self, now: float) -> None:
        """Look at the deadlines; while the client keeps the provider waiting, only at the client's own."""
        attempt = self._attempt
        if attempt is None:
            return
        if self._paused_at is not None:
            if now - self._paused_at > WRITE_STALL_SECONDS:
                self.client_gone()
                self._downstream.abort()
            return
        fault = attempt.overdue(now)
        if fault is not None:
            attempt.cancel()
            self.failure_came(attempt, fault)
        elif attempt.is_held_too_long(now):
            self._commit(attempt)

    def drain(self) -> None:
        """The gateway stops: end what is still open with a clear word."""
        fault = Unavailable("the gateway is shutting down; send the request again")
        if self.state is State.relaying and self._attempt is not None:
            self._break_off(self._attempt, Outcome.gateway_fault, fault.message)
        elif self.state is not State.closed:
            if self._attempt is not None:
                self._attempt.cancel()
            self._refuse(fault)

    # Events from the upstream, by way of the attempt

    def head_came(self, attempt: Attempt) -> None:
        """An attempt's status and headers have come."""
        if 200 <= attempt.status < 300:
            try:
                attempt.relay = relay_for(
                    self._dialect,
                    self._endpoint.name,
                    attempt.first,
                    hide_usage=attempt.hide_usage,
                    keep_text=attempt.leg.release.has_output_schema,
                )
            except UpstreamFault as fault:
                attempt.cancel()
                self.failure_came(attempt, fault)
        elif not (attempt.hide_usage and attempt.status in (400, 422)):
            # An error that another release answers is nobody's business: its body is not waited for.
            failure = status_failure(attempt.status, attempt.headers)
            if next_leg(attempt.way.legs, attempt.place, failure, may_retry=attempt.way.may_retry) is not None:
                attempt.cancel()
                self._attempt_failed(attempt, failure)

    def data_came(self, attempt: Attempt, data: bytes) -> None:
        """A piece of an attempt's body has come."""
        relay = attempt.relay
        if relay is None:
            attempt.keep_error(data)
            return
        try:
            piece = relay.feed(data)
        except UpstreamFault as fault:
            attempt.cancel()
            self.failure_came(attempt, fault)
            return
        if self.state is State.trying:
            attempt.held += piece
            self._weigh(attempt, relay)
            return
        if piece:
            self._downstream.write(piece if relay.scan.error is None else attempt.without_credential(piece))
        if relay.scan.terminal or attempt.way.first_content_at is None:
            self._passed_on(attempt, relay)

    def end_came(self, attempt: Attempt) -> None:
        """An attempt's body is complete."""
        relay = attempt.relay
        if relay is None:
            self._error_came(attempt)
            return
        try:
            attempt.held += relay.end()
        except UpstreamFault as fault:
            self.failure_came(attempt, fault)
            return
        if self.state is State.relaying:
            if attempt.held:
                self._downstream.write(attempt.without_credential(attempt.take_held()))
            self._complete(attempt)
        elif relay.scan.error is not None:
            self._attempt_failed(attempt, in_band_failure(attempt.status, relay.scan.error))
        else:
            self._send_whole(attempt)

    def failure_came(self, attempt: Attempt, fault: UpstreamFault) -> None:
        """An attempt's call has failed, or has been given up."""
        if self.state is State.relaying:
            self._break_off(attempt, Outcome.failed, fault.message)
        elif attempt.status >= 300:
            self._attempt_failed(attempt, status_failure(attempt.status, attempt.headers))
        else:
            self._attempt_failed(attempt, fault_failure(fault, attempt.status))

    def _error_came(self, attempt: Attempt) -> None:
        """A provider's answer of error is whole. One that cannot be asked for usage is asked again, without."""
        failure = status_failure(attempt.status, attempt.headers, attempt.error_body())
        if attempt.hide_usage and failure.refuses_usage:
            self._around.usage_asking.refused(attempt.leg.release.model.provider)
            self._send(attempt.way, attempt.place, attempt.permit)
        else:
            self._attempt_failed(attempt, failure)

    # Attempts

    def _try_from(self, way: Way, first: int) -> None:
        """Send the first attempt, from place `first` on, that its breaker permits."""
        for place in range(first, len(way.legs)):
            leg = way.legs[place]
            permit = self._around.breakers.permit(way.asked.route, leg.release, self.now())
            if permit is not None:
                if leg.retry:
                    way.begin_retry()
                self._send(way, place, permit)
                return
            if leg.is_stable:
                way.verdicts.stable_is_out()
        self._nothing_left(way)

    def _nothing_left(self, way: Way) -> None:
        """Answer with the failure; but stable, if its breaker kept it out, is asked first: a bad chance beats none."""
        if way.turn_to_stable():
            log_panic(self._around.journal, way)
            self._send(way, 0, None)
            return
        told = way.verdicts.told
        if told is None:
            self._refuse(Unavailable("no release of this route can serve now; try again soon"))
            return
        way.leg = told.leg
        provider = told.leg.release.model.provider
        answer = answer_failure(told.failure, provider, self._dialect, self._own_headers(), self._around.clock.wall())
        self._answer(answer, told.failure.outcome, told.failure.message)

    def _send(self, way: Way, place: int, permit: Permit | None) -> None:
        leg = way.leg = way.legs[place]
        attempt = self._attempt = Attempt(self, way, place, leg, permit, sent_at=self.now())
        ask_usage = self._around.usage_asking.may_ask(leg.release.model.provider)
        try:
            shaped = shape(way.asked, leg.release, ask_usage=ask_usage)
        except ClientFault as fault:
            self._attempt_failed(attempt, fault_failure(fault))
            return
        attempt.hide_usage, attempt.prompt_digest = shaped.hide_usage, shaped.prompt_digest
        attempt.call = self._around.upstream.send(shaped.request, attempt)
        if self._paused_at is not None:
            attempt.pause()
        way.sent(self.now())

    def _attempt_failed(self, attempt: Attempt, failure: Failure) -> None:
        """Turn to the next release, or answer with the failure."""
        attempt.exchange = self._attempt = None
        way = attempt.way
        way.verdicts.failed(attempt.leg, attempt.permit, failure, self.now())
        following = next_leg(way.legs, attempt.place, failure, may_retry=way.may_retry)
        if following != next_leg(way.legs, attempt.place, failure):
            self._around.meters.retry_withheld(way.asked.route.name, attempt.leg.release.version)
        if way.is_retrying:
            way.end_retry()
        if following is None:
            self._nothing_left(way)
        else:
            self._try_from(way, following)

    # The answer and its end

    def _weigh(self, attempt: Attempt, relay: Relay) -> None:
        """Look at what is held: an error lets another release answer, content goes to the client, the rest waits."""
        if relay.scan.error is not None:
            attempt.cancel()
            self._attempt_failed(attempt, in_band_failure(attempt.status, relay.scan.error))
        elif relay.is_worth_sending or len(attempt.held) > HOLD_BYTES:
            self._commit(attempt)
            self._passed_on(attempt, relay)

    def _commit(self, attempt: Attempt) -> None:
        """From here on this attempt is the answer: send its head and what was held back."""
        self._start(attempt.status, self._answer_headers(attempt), attempt.take_held())
        self._become("committed")
        self._accept(attempt)

    def _passed_on(self, attempt: Attempt, relay: Relay) -> None:
        """Note what the client has got: its first content, its end."""
        if attempt.way.first_content_at is None and relay.is_worth_sending:
            attempt.way.content_passed(self.now(), attempt.heard_at)
        if relay.scan.terminal:
            self._complete(attempt)

    def _send_whole(self, attempt: Attempt) -> None:
        """Send an answer that came complete before anything of it was sent."""
        body = attempt.take_held()
        self._start(attempt.status, self._answer_headers(attempt), body, len(body))
        attempt.way.content_passed(self.now(), attempt.heard_at)
        self._accept(attempt)
        self._complete(attempt)

    def _accept(self, attempt: Attempt) -> None:
        """Take an attempt's answer. What stable answers, others should have, and the shadow may answer too."""
        if attempt.leg.is_stable:
            attempt.way.verdicts.stable_accepted(self.now())
        if attempt.leg.track == "stable":
            self._around.mirrors.offer(attempt.way.asked, self.request_id, self.now())

    def _refuse(self, fault: PinionError) -> None:
        outcome = Outcome.client_fault if isinstance(fault, ClientFault) else Outcome.gateway_fault
        self._answer(refuse(fault, self._dialect, self._own_headers()), outcome, fault.message)

    def _note(self, fault: ClientFault, head: Head, app: App | None) -> None:
        """Have a denial told where denials are; the client has its answer."""
        if isinstance(fault, Denied):
            operation = f"{head.method} {self._endpoint.path}"
            self._around.denials.deny(operation, fault, app, headers.credential(head.first))

    def _answer(self, answer: Refusal, outcome: Outcome, message: str) -> None:
        self._start(answer.status, answer.headers, answer.body, len(answer.body))
        self._close(outcome, message, self._downstream.finish)

    def _start(self, status: int, headers: Headers, body: bytes, length: int | None = None) -> None:
        self._status = status
        self._downstream.start(status, headers, length)
        self._downstream.write(body)

    def _answer_headers(self, attempt: Attempt) -> Headers:
        return answer_headers(attempt.headers, self._own_headers(), attempt.provider.secret)

    def _own_headers(self) -> Headers:
        return [(b"x-request-id", self.request_id.encode()), *(self._way.headers if self._way else ())]

    def _complete(self, attempt: Attempt) -> None:
        """The client has all of the answer. The provider may still have to end its own, and is given a moment."""
        attempt.exchange = None
        if attempt.call is not None:
            self.resume()
            self._around.lingering.add(attempt, self.now())
        self._close_answered(attempt, self._downstream.finish)

    def _break_off(self, attempt: Attempt, outcome: Outcome, message: str) -> None:
        """The rest will not come: say so in the dialect's form, or where it has none, cut the connection."""
        attempt.cancel()
        if attempt.is_answered:  # the client has seen the end, and misses nothing
            self._complete(attempt)
            return
        if event := attempt.failure_event(message):
            self._downstream.write(event)
        self._close(outcome, message, self._downstream.finish if event else self._downstream.abort)

    def _close_answered(self, attempt: Attempt, tell: Callable[[], None], event: str = "answered") -> None:
        """Settle by what was found in the answer."""
        scan = attempt.scan
        error = None if scan is None else scan.error
        self._close(Outcome.ok if error is None else Outcome.failed, error or "", tell, event)

    def _close(self, outcome: Outcome, message: str, tell: Callable[[], None], event: str = "answered") -> None:
        """End, tell the client's side by `tell`, and settle, once. The client does not wait for the settlement.

        What went well is settled with others of its kind; a failure at once, so that its breaker can act on it.
        """
        self._become(event)
        way = self._way
        if way is not None:
            way.budget.requests -= 1
            if way.is_retrying:
                way.end_retry()
        tell()
        ending = Ending(outcome, self._status, message, self.now())
        attempt, self._attempt = self._attempt, None
        if way is None:
            log_refused(self._around.journal, self.request_id, self._endpoint, ending)
        elif outcome is Outcome.ok:
            self._around.afterwards.add(partial(settle, self._around, way, attempt, ending))
        else:
            self._around.afterwards.run()
            settle(self._around, way, attempt, ending)

    def _become(self, event: str) -> None:
        self.state = TRANSITIONS[self.state, event]


def _nobody() -> None:
    """There is no client to tell any more."""
