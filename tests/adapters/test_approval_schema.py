"""The constraints of approvals refuse, on both engines, rows that a hand writes past every check."""

from contextlib import closing

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters.approval_rows import admission_row, plain_row, request_row, sign_off_row
from gateway.adapters.approval_schema import admissions, approval_requests, approvals, exceptions, sign_offs
from gateway.adapters.sql_engine import Database
from gateway.core.errors import StoreFault
from tests.adapters.store_records import GOVERNANCE

REQUEST, EXCEPTION = GOVERNANCE.requests[0], GOVERNANCE.exceptions[0]
MINE = request_row(REQUEST)
SIGNED = sign_off_row(REQUEST, REQUEST.sign_offs[0])
APPROVAL = {**plain_row(GOVERNANCE.approvals[0]), "id": "q1", "version": "1.1.0", "digest": "d1"}
ADMITTED = {**admission_row(GOVERNANCE.admissions[0]), "release": "1.1.0", "digest": "d1", "approval_id": "q1"}
EXCEPTED = {**ADMITTED, "route": "sales", "release": "2.0.0", "digest": "d2", "approval_id": None, "exception_id": "x1"}


@pytest.fixture
def store(place):
    """A store's database with a request, its sign-off and its approval."""
    with closing(Database.open(place.url, "store")) as opened:
        with opened.transaction() as connection:
            connection.execute(insert(approval_requests), [MINE])
            connection.execute(insert(sign_offs), [SIGNED])
            connection.execute(insert(approvals), [APPROVAL])
            connection.execute(insert(exceptions), [plain_row(EXCEPTION)])
        yield opened


def write(database, statement, rows=None):
    """Write something, as a hand would."""
    with database.transaction() as connection:
        connection.execute(statement, rows)


def test_what_belongs_together_is_taken(store):
    """An admission by an approval, by an exception, and one that nothing governed."""
    free = {**ADMITTED, "release": "1.0.0", "approval_id": None, "ungoverned": True}
    write(store, insert(admissions), [ADMITTED])
    write(store, insert(admissions), [EXCEPTED])
    write(store, insert(admissions), [free])


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (approval_requests, {**MINE, "id": "q2"}),
        (sign_offs, {**SIGNED, "person": "ada"}),
        (sign_offs, SIGNED),
        (sign_offs, {**SIGNED, "person": "bob", "digest": "d9"}),
        (sign_offs, {**SIGNED, "person": "ada", "requester": "bob"}),
        (sign_offs, {**SIGNED, "person": "bob", "request_id": "q9"}),
        (approvals, {**APPROVAL, "id": "q9"}),
        (admissions, {**ADMITTED, "digest": "d9"}),
        (admissions, {**ADMITTED, "release": "1.2.0"}),
        (admissions, {**ADMITTED, "environment": "test"}),
        (admissions, {**ADMITTED, "route": "sales"}),
        (admissions, {**ADMITTED, "approval_id": "q9"}),
        (admissions, {**ADMITTED, "approval_id": None}),
        (admissions, {**ADMITTED, "ungoverned": True}),
        (admissions, {**ADMITTED, "exception_id": "x1"}),
        (admissions, {**EXCEPTED, "release": "2.1.0"}),
        (admissions, {**EXCEPTED, "exception_id": "x9"}),
    ],
    ids=[
        "a second open request for the same",
        "the requester's own sign-off",
        "a second sign-off of one person",
        "a sign-off on another digest",
        "a sign-off that names another requester",
        "a sign-off on no request",
        "an approval of no request",
        "an admission of another digest",
        "an admission of another version",
        "an admission in another environment",
        "an admission on another route",
        "an admission by no approval",
        "an admission by nothing",
        "an admission by an approval and by nothing",
        "an admission by an approval and an exception",
        "an admission of another version than was excepted",
        "an admission by no exception",
    ],
)
def test_a_row_that_breaks_the_law_is_refused(store, table, row):
    """Whoever writes it."""
    with pytest.raises((StoreFault, SQLAlchemyError)):
        write(store, insert(table), [row])


@pytest.mark.untraced
@pytest.mark.parametrize(
    "statement",
    [
        sign_offs.update().values(person="mallory"),
        sign_offs.delete(),
        approvals.update().values(until=None),
        approvals.delete(),
        approval_requests.update().values(digest="d9"),
        approval_requests.update().values(requester="mallory"),
    ],
)
def test_a_word_that_was_given_stays_as_it_is(store, statement):
    """Nobody changes or removes a sign-off or an approval, or puts another thing under a sign-off."""
    with pytest.raises((StoreFault, SQLAlchemyError)):
        write(store, statement)
