"""Last step: what became of a request, told to the breakers, the meters, the ledger and the log."""

from gateway.core.outcome import Outcome, is_good
from gateway.core.ports import Journal
from gateway.core.price import UNKNOWN_COST, Cost
from gateway.core.record import REVISION_DIGITS, Record, Tried
from gateway.core.unit import unit_digest
from gateway.core.usage import Usage
from gateway.core.value import value
from gateway.proxy.attempt import Attempt
from gateway.proxy.output_schema import follows_schema
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.way import Way
from gateway.wire import headers
from gateway.wire.dialect import Scan
from gateway.wire.endpoint import Endpoint

NOTHING_FOUND = Scan()
"""What is known of an answer that was not read."""


@value
class Ending:
    """How a request ended: `status` is what the client was told (0: nothing), `at` monotonic seconds."""

    outcome: Outcome
    status: int
    message: str
    at: float


def log_refused(journal: Journal, request_id: str, endpoint: Endpoint, ending: Ending) -> None:
    """Leave a line in the log for a request that never came to a route; nothing else can be said of it."""
    journal.event(
        "refused",
        request_id=request_id,
        status=ending.status,
        endpoint=endpoint.name,
        message=ending.message,
    )


def log_panic(journal: Journal, way: Way) -> None:
    """Raise the alarm for a request that only stable, whose breaker is open, is left to serve."""
    journal.event(
        "panic",
        level="error",
        request_id=way.request_id,
        route=way.asked.route.name,
        release=way.asked.route.stable.version,
        message="nothing else can serve; stable is asked although its breaker is open",
    )


def settle(around: Surroundings, way: Way, attempt: Attempt | None, ending: Ending) -> None:
    """Tell everyone how a request ended.

    `attempt` is the one that answered, or was under way at the end; failed ones are among the way's verdicts.
    """
    way.verdicts.close(ending.at)
    outcome = _paced(way, ending)
    scan = None if attempt is None else attempt.scan
    if attempt is not None and attempt.permit is not None:
        around.breakers.report(way.asked.route, attempt.leg.release, attempt.permit, outcome, ending.at)
    valid = _schema_valid(attempt, outcome)
    at = around.clock.wall()
    record = record_of(way, attempt, scan or NOTHING_FOUND, ending, outcome, at, schema_valid=valid)
    around.meters.settle(record)
    around.ledger.append(record)
    around.judging.hear(record)
    if way.asked.caller.app.limits:
        around.app_limits.hear(record)
    if attempt is not None and scan is not None:
        _learn(around, way, attempt, scan)
    around.journal.request(record, ending.message)


def _paced(way: Way, ending: Ending) -> Outcome:
    """A good answer over the breaker's `slow_over` is slow: a stream by its first content, another by its end."""
    limit = way.asked.route.breaker.slow_over
    if ending.outcome is not Outcome.ok or limit is None:
        return ending.outcome
    until = way.first_content_at if way.asked.stream and way.first_content_at is not None else ending.at
    return Outcome.slow if until - way.asked_at > limit else Outcome.ok


def _schema_valid(attempt: Attempt | None, outcome: Outcome) -> bool | None:
    """Hold a good answer to its prompt's schema. Of any other nothing is known: it may not be whole."""
    if attempt is None or not attempt.leg.release.has_output_schema or not is_good(outcome):
        return None
    return follows_schema(attempt.leg.release.prompt, attempt.take_text())


def _learn(around: Surroundings, way: Way, attempt: Attempt, scan: Scan) -> None:
    """Take from an answer who made it, so that what continues it returns, and who said that it did."""
    route, release, caller = way.asked.route, attempt.leg.release, way.asked.caller
    if scan.response_id is not None and caller.endpoint.name == "responses":
        around.follow_ups.remember(caller.app.name, route.name, scan.response_id, release.version)
    if scan.served_model is not None or scan.fingerprint is not None:
        around.served_models.saw(route, release, scan.served_model, scan.fingerprint)


def record_of(
    way: Way,
    attempt: Attempt | None,
    scan: Scan,
    ending: Ending,
    outcome: Outcome,
    at: float,
    *,
    schema_valid: bool | None,
) -> Record:
    """Make a request's record, at wall time `at`."""
    asked, assignment, leg = way.asked, way.assignment, way.leg
    usage, cost = scan.usage, _cost(way, scan.usage, at)
    first, ended = way.first_content_at, outcome.value
    return Record(
        request_id=way.request_id,
        at=at,
        app=asked.caller.app.name,
        route=asked.route.name,
        release="" if leg is None else leg.release.version,
        track="" if leg is None else leg.track,
        why="" if assignment is None else assignment.why,
        bucket=None if assignment is None else assignment.bucket,
        unit_digest=None if way.unit is None else unit_digest(way.unit.value),
        outcome=ended,
        status=ending.status,
        seconds=ending.at - way.asked_at,
        first_token_seconds=first - way.asked_at if first is not None and asked.stream else None,
        overhead_seconds=way.overhead_seconds,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cached_input_tokens=None if usage is None else usage.cached_input_tokens,
        cost_nano_usd=cost.nano_usd,
        cost_status=cost.status,
        partial=usage is not None and not is_good(outcome),
        input_digest=asked.input_digest,
        served_model=scan.served_model,
        fingerprint=scan.fingerprint,
        response_id=scan.response_id,
        upstream_request_id=None if attempt is None else upstream_id(attempt.first),
        endpoint=asked.caller.endpoint.name,
        stream=asked.stream,
        sdk_retries=asked.sdk_retries,
        attempts=_tried(way, attempt, ended),
        epoch=asked.snapshot.epoch,
        schema_valid=schema_valid,
        split=None if assignment is None else assignment.split,
        revision=asked.snapshot.revision[:REVISION_DIGITS],
        prompt_digest=None if attempt is None else attempt.prompt_digest,
    )


def _cost(way: Way, usage: Usage | None, at: float) -> Cost:
    """The price of an answer. Providers count tokens for nothing."""
    if way.asked.caller.endpoint.name == "count_tokens":
        return Cost(0, "exact")
    return UNKNOWN_COST if usage is None or way.leg is None else way.leg.release.model.pricing.cost(usage, at)


def _tried(way: Way, attempt: Attempt | None, outcome: str) -> tuple[Tried, ...]:
    """The failed attempts as they were judged, then the one that answered; nearly always that one alone."""
    answered: tuple[Tried, ...] = ()
    if attempt is not None:
        answered = (Tried(attempt.leg.release.version, attempt.leg.track, outcome, attempt.status),)
    if not way.verdicts:
        return answered
    failed = [
        Tried(
            v.leg.release.version, v.leg.track, (v.outcome or v.failure.outcome).value, v.failure.status, v.is_excused
        )
        for v in way.verdicts
    ]
    return (*failed, *answered)


def upstream_id(first: dict[bytes, bytes]) -> str | None:
    """The provider's own id of a request: OpenAI's header or Anthropic's."""
    return headers.text(first, b"x-request-id") or headers.text(first, b"request-id")
