"""Approvals, as rows: policies in force, requests with their sign-offs, approvals, exceptions, admissions."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from gateway.adapters.registry_rows import Row
from gateway.core.admission import Admission, Excepted, Governance
from gateway.core.approval import Approval, Request, RequestState, SignOff
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.text import storable

_TOLD = frozenset({"reason", "rollback_plan", "ended_reason", "ended_by", "comment"})
"""What people wrote, which may hold what no database takes."""

Value = TypeVar("Value", Approval, Excepted)


def governance_rows(governance: Governance) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of everything that is held of approvals, by table."""
    return {
        "approval_policies": [policy_row(each) for each in governance.policies],
        "approval_requests": [request_row(each) for each in governance.requests],
        "sign_offs": [sign_off_row(request, each) for request in governance.requests for each in request.sign_offs],
        "approvals": [plain_row(each) for each in governance.approvals],
        "exceptions": [plain_row(each) for each in governance.exceptions],
        "admissions": [admission_row(each) for each in governance.admissions],
    }


def governance_from(tables: Mapping[str, Iterable[Row]]) -> Governance:
    """Read everything that is held of approvals."""
    return Governance(
        policies=tuple(ApprovalPolicy.from_json(row["content"]) for row in tables["approval_policies"]),
        requests=requests_from(tables["approval_requests"], tables["sign_offs"]),
        approvals=tuple(plain_from(Approval, row) for row in tables["approvals"]),
        exceptions=tuple(plain_from(Excepted, row) for row in tables["exceptions"]),
        admissions=tuple(map(admission_from, tables["admissions"])),
    )


def policy_row(policy: ApprovalPolicy) -> dict[str, Any]:
    """Write an approval policy."""
    return {"name": policy.name, "digest": policy.digest, "content": policy.to_json()}


def request_row(request: Request) -> dict[str, Any]:
    """Write a request as it stands; its sign-offs are rows of their own."""
    told = {each.name: getattr(request, each.name) for each in fields(Request) if each.name != "sign_offs"}
    plain = {
        "parts": dict(request.parts),
        "policy": request.policy.to_json(),
        "excluded": sorted(request.excluded),
        "state": request.state.value,
    }
    return _storable({**told, **plain})


def requests_from(rows: Iterable[Row], sign_off_rows: Iterable[Row]) -> tuple[Request, ...]:
    """Read requests, and the sign-offs that belong to them."""
    given: dict[str, list[SignOff]] = {}
    for row in sign_off_rows:
        given.setdefault(row["request_id"], []).append(
            SignOff(**{each.name: row[each.name] for each in fields(SignOff)})
        )
    return tuple(_request_from(row, tuple(given.get(row["id"], ()))) for row in rows)


def _request_from(row: Row, given: tuple[SignOff, ...]) -> Request:
    told = {each.name: row[each.name] for each in fields(Request) if each.name != "sign_offs"}
    read = {
        "policy": ApprovalPolicy.from_json(row["policy"]),
        "excluded": frozenset(row["excluded"]),
        "state": RequestState(row["state"]),
    }
    return Request(**{**told, **read, "sign_offs": given})


def sign_off_row(request: Request, given: SignOff) -> dict[str, Any]:
    """Write a sign-off on a request."""
    told = {each.name: getattr(given, each.name) for each in fields(SignOff)}
    return _storable({**told, "request_id": request.id, "requester": request.requester})


def plain_row(value: Approval | Excepted) -> dict[str, Any]:
    """Write an approval or an exception."""
    return _storable({each.name: getattr(value, each.name) for each in fields(value)})


def plain_from(kind: type[Value], row: Row) -> Value:
    """Read an approval or an exception."""
    return kind(**{each.name: row[each.name] for each in fields(kind)})


def admission_row(admission: Admission) -> dict[str, Any]:
    """Write an admission."""
    told = {each.name: getattr(admission, each.name) for each in fields(Admission)}
    return {**told, "policies": sorted(admission.policies)}


def admission_from(row: Row) -> Admission:
    """Read an admission."""
    told = {each.name: row[each.name] for each in fields(Admission)}
    return Admission(**{**told, "policies": frozenset(row["policies"])})


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if name in _TOLD and value is not None else value for name, value in row.items()}
