"""Approvals in the store's database: what a transaction of the store reads and writes of them."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from gateway.adapters import sql_registry
from gateway.adapters.approval_rows import (
    admission_row,
    plain_from,
    plain_row,
    policy_row,
    request_row,
    requests_from,
    sign_off_row,
)
from gateway.adapters.approval_schema import (
    admissions,
    approval_policies,
    approval_requests,
    approvals,
    exceptions,
    sign_offs,
)
from gateway.adapters.registry_rows import Row
from gateway.adapters.sql_engine import insert_or_replace
from gateway.core.admission import Excepted, GovernanceMove, RequestMove
from gateway.core.approval import Request, RequestState
from gateway.core.errors import Overtaken
from gateway.core.review import Review
from gateway.core.standing import Standing

_OPEN = approval_requests.c.state == RequestState.open.value

QUESTIONS = {
    "approval_policies": select(approval_policies).order_by(approval_policies.c.name),
    "approval_requests": select(approval_requests)
    .where(_OPEN)
    .order_by(approval_requests.c.requested_at, approval_requests.c.id),
    "sign_offs": select(sign_offs)
    .where(sign_offs.c.request_id.in_(select(approval_requests.c.id).where(_OPEN)))
    .order_by(sign_offs.c.at, sign_offs.c.person),
    "approvals": select(approvals).order_by(approvals.c.at, approvals.c.id),
    "exceptions": select(exceptions).order_by(exceptions.c.at, exceptions.c.id),
    "admissions": select(admissions).order_by(admissions.c.environment, admissions.c.route, admissions.c.release),
}
"""What a snapshot depends on, by table: of requests the open ones."""


def put_request(connection: Connection, move: RequestMove) -> None:
    """Write a request with its new sign-offs, and what follows from it.

    Raises:
        Overtaken: somebody else has moved it in the meantime, or another is open for the same.
    """
    request, mine = move.request, approval_requests.c.id == move.request.id
    if request.revision == 1:
        _expect_none_open(connection, request)
        connection.execute(approval_requests.insert(), [request_row(request)])
    else:
        earlier = approval_requests.c.revision == request.revision - 1
        moved = approval_requests.update().where(mine, earlier).values(request_row(request))
        if connection.execute(moved).rowcount != 1:
            raise Overtaken(f"somebody else's act on the {request}, was recorded first; look at it again")
    known = set(connection.execute(select(sign_offs.c.person).where(sign_offs.c.request_id == request.id)).scalars())
    new = [sign_off_row(request, each) for each in request.sign_offs if each.person not in known]
    if new:
        connection.execute(sign_offs.insert(), new)
    if move.approval is not None:
        connection.execute(approvals.insert(), [plain_row(move.approval)])
    if move.standing is not None:
        sql_registry.put_standing(connection, move.standing)
        end_admissions(connection, move.standing)
    put_exceptions(connection, move.reviewed)


def put_exceptions(connection: Connection, changed: Sequence[Excepted]) -> frozenset[str]:
    """Write exceptions as they stand now, with what others have written of the same; give the ids of what is news."""
    asked = select(exceptions).where(exceptions.c.id.in_([each.id for each in changed]))
    known = {row["id"]: plain_from(Excepted, row) for row in connection.execute(asked).mappings()}
    joined = [known[each.id].joined(each) if each.id in known else each for each in changed]
    news = [each for each in joined if known.get(each.id) != each]
    if news:
        connection.execute(insert_or_replace(exceptions), [plain_row(each) for each in news])
    return frozenset(each.id for each in news)


def put_governance(connection: Connection, move: GovernanceMove) -> Mapping[str, str]:
    """Put approval policies in force in place of those that the move rests on, and write admissions.

    Gives the digests of the policies that were in force until now, by name; none where the move leaves them.

    Raises:
        Overtaken: other policies are in force by now.
    """
    known: dict[str, str] = {}
    if move.policies is not None:
        columns = approval_policies.c
        known = {row.name: row.digest for row in connection.execute(select(columns.name, columns.digest))}
        if set(known.values()) != move.after:
            raise Overtaken("somebody else's change of the approval policies was recorded first; reload again")
        connection.execute(approval_policies.delete())
        if move.policies:
            connection.execute(approval_policies.insert(), [policy_row(each) for each in move.policies])
    if move.admissions:
        connection.execute(insert_or_replace(admissions), [admission_row(each) for each in move.admissions])
    return known


def ungoverned_places(connection: Connection) -> frozenset[tuple[str, str, str]]:
    """Give the places, (environment, route, release), that are admitted though nothing governs them."""
    columns = admissions.c
    asked = select(columns.environment, columns.route, columns.release).where(columns.ungoverned)
    return frozenset((row.environment, row.route, row.release) for row in connection.execute(asked))


def end_admissions(connection: Connection, standing: Standing) -> None:
    """End the admissions of a release that was revoked or rejected, in every environment."""
    if standing.kind == "release" and standing.review in (Review.revoked, Review.rejected):
        columns = admissions.c
        mine = (columns.route == standing.name, columns.release == standing.version)
        connection.execute(admissions.delete().where(*mine))


def requests_of(connection: Connection, environment: str, name: str | None, limit: int) -> tuple[Request, ...]:
    """Give the newest requests of an environment, for one route or approval policy or for all, the newest first."""
    columns = approval_requests.c
    asked = select(approval_requests).where(columns.environment == environment)
    newest = (asked if name is None else asked.where(columns.name == name)).order_by(
        columns.requested_at.desc(), columns.id.desc()
    )
    rows = list(connection.execute(newest.limit(limit)).mappings())
    return requests_from(rows, _sign_offs_of(connection, [row["id"] for row in rows]))


def _sign_offs_of(connection: Connection, ids: Iterable[str]) -> list[Row]:
    asked = select(sign_offs).where(sign_offs.c.request_id.in_(list(ids))).order_by(sign_offs.c.at, sign_offs.c.person)
    return list(connection.execute(asked).mappings())


def _expect_none_open(connection: Connection, request: Request) -> None:
    columns = approval_requests.c
    place = (columns.kind, columns.environment, columns.name, columns.version)
    mine = [column == value for column, value in zip(place, request.place, strict=True)]
    known = connection.execute(select(columns.id).where(_OPEN, *mine)).scalar()
    if known is not None:
        raise Overtaken(f"request {known} is open for the same; sign, withdraw or reject that one")
