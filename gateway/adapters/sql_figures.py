"""What the ledger holds of one release, added up in windows of ids, so that records are written between two of them."""

from sqlalchemy import ColumnElement, String, and_, case, cast, func, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_exposures import WINDOW
from gateway.adapters.sql_schema import requests
from gateway.core.outcome import GOOD, Outcome
from gateway.core.record import Tried
from gateway.core.release_figures import ReleaseFigures

_GOOD = tuple(sorted(outcome.value for outcome in GOOD))
_ATTEMPTS = cast(requests.c.attempts, String)
_IS_GOOD = requests.c.outcome.in_(_GOOD)
_ANSWERED = and_(_IS_GOOD, requests.c.endpoint != "count_tokens")
_HAS_COST = and_(_ANSWERED, requests.c.cost_nano_usd.is_not(None))
_HAS_TOKENS = and_(_ANSWERED, requests.c.input_tokens.is_not(None), requests.c.output_tokens.is_not(None))


class SqlFigures:
    """A release's requests in the ledger. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, route: str, release: str, since: float, after: int, figures: ReleaseFigures) -> None:
        """Add the requests with the next `WINDOW` ids after `after`, from wall second `since` on."""
        window = (
            requests.c.id > after,
            requests.c.id <= after + WINDOW,
            requests.c.at >= since,
            requests.c.route == route,
            requests.c.shadow_of.is_(None),
        )
        own = (*window, requests.c.release == release)
        counted = select(
            func.count(),
            _number(_ANSWERED),
            _number(_IS_GOOD),
            _number(_HAS_COST),
            _sum(_HAS_COST, requests.c.cost_nano_usd),
            _number(_HAS_TOKENS),
            _sum(_HAS_TOKENS, requests.c.input_tokens),
            _sum(_HAS_TOKENS, requests.c.output_tokens),
        ).where(*own)
        paces = select(requests.c.seconds, requests.c.first_token_seconds).where(*own, _ANSWERED)
        failing = select(requests.c.attempts).where(
            *window,
            _ATTEMPTS.contains(f'["{release}", ', autoescape=True),  # no version holds a quote
            _ATTEMPTS.contains(f'"{Outcome.failed.value}"', autoescape=True),
        )
        with self._database.transaction() as connection:
            counts = [int(count or 0) for count in connection.execute(counted).one()]
            durations = connection.execute(paces).all()
            attempts = connection.execute(failing).scalars().all()
        _add_counts(figures, counts)
        for seconds, first_token in durations:
            figures.seconds.add(seconds)
            if first_token is not None:
                figures.first_token_seconds.add(first_token)
        for tried in attempts:
            figures.add_failures(release, [Tried(*each) for each in tried])


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _sum(condition: ColumnElement[bool], amount: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(case((condition, amount), else_=0))


def _add_counts(figures: ReleaseFigures, counts: list[int]) -> None:
    number, answered, good, cost_known, cost, tokens_known, input_tokens, output_tokens = counts
    figures.requests += number
    figures.answered += answered
    figures.good += good
    figures.cost_known += cost_known
    figures.cost_nano_usd += cost
    figures.tokens_known += tokens_known
    figures.input_tokens += input_tokens
    figures.output_tokens += output_tokens
