"""What applications have used, added up in the ledger by windows of time."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, or_, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import requests
from gateway.core.limit import AppUse
from gateway.core.record import MAY_HAVE_USED, UNCHARGED

_TOKENS = func.coalesce(requests.c.input_tokens, 0) + func.coalesce(requests.c.output_tokens, 0)
_IS_CHARGED = requests.c.endpoint.not_in(sorted(UNCHARGED))
_MAY_HAVE_USED = and_(
    _IS_CHARGED, or_(requests.c.outcome.in_(sorted(MAY_HAVE_USED)), requests.c.status.between(200, 299))
)
_HAS_TOKENS = and_(_IS_CHARGED, requests.c.input_tokens.is_not(None))
_HAS_COST = and_(_IS_CHARGED, requests.c.cost_nano_usd.is_not(None))


def _if(condition: ColumnElement[bool], amount: ColumnElement[int] | int) -> ColumnElement[int]:
    return case((condition, amount), else_=0)


_AMOUNTS: dict[str, ColumnElement[int]] = {
    "tokens": _if(_HAS_TOKENS, _TOKENS),
    "answers_with_tokens": _if(_HAS_TOKENS, 1),
    "answers_without_tokens": _if(and_(_MAY_HAVE_USED, requests.c.input_tokens.is_(None)), 1),
    "nano_usd": func.coalesce(requests.c.cost_nano_usd, 0),
    "answers_with_cost": _if(_HAS_COST, 1),
    "answers_without_cost": _if(and_(_MAY_HAVE_USED, requests.c.cost_nano_usd.is_(None)), 1),
}
"""What a record adds to each count, by the name of the count."""


def app_use(database: Database, apps: Sequence[str], since: float, until: float, per: float) -> tuple[AppUse, ...]:
    """Add up what applications have used from a wall time up to another, by windows of `per` seconds from the epoch.

    Mirrored requests do not count: their applications did not ask for them.

    Raises:
        StoreFault: the ledger cannot be read.
    """
    exact = requests.c.at / per
    whole = cast(exact, BigInteger)
    window = whole - case((whole > exact, 1), else_=0)  # a cast cuts off in SQLite, and rounds in PostgreSQL
    amounts = [amount.label(name) for name, amount in _AMOUNTS.items()]
    asked = (
        select(requests.c.app, window.label("window"), *amounts)
        .where(
            requests.c.at >= since,
            requests.c.at < until,
            requests.c.app.in_(apps),
            requests.c.shadow_of.is_(None),
        )
        .subquery()  # PostgreSQL would not see that an expression with a parameter is the one that it groups by
    )
    added = (
        select(asked.c.app, asked.c.window, func.count().label("requests"))
        .add_columns(*(func.sum(asked.c[name]).label(name) for name in _AMOUNTS))
        .group_by(asked.c.app, asked.c.window)
        .order_by(asked.c.window, asked.c.app)
    )
    with database.transaction() as connection:
        rows = connection.execute(added).mappings().all()
    return tuple(
        AppUse(row["app"], row["window"] * per, int(row["requests"]), **{name: int(row[name]) for name in _AMOUNTS})
        for row in rows
    )
