"""How an act at the operations API came, for the audit trail."""

import re
from collections.abc import Callable

from starlette.requests import Request

from gateway.core.audit import Origin
from gateway.core.operator import Operator

OriginOf = Callable[[Request, Operator], Origin]
"""Says how an operator came."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def origin_of(request: Request, operator: Operator, revision: str) -> Origin:
    """Say what an operator is, in which roles and how they were identified, under the policy set of a revision."""
    return Origin(
        kind="person" if operator.is_person else "service",
        role=" ".join(sorted(operator.roles)),
        auth=operator.identified,
        request_id=_request_id(request),
        policy_revision=revision or None,
    )


def _request_id(request: Request) -> str | None:
    """Give the id that a request names itself by, where it is one that cannot say anything else."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else None
