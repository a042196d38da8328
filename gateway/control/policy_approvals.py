"""Approval policies: from the keys of policy files to values, and routes that must have one."""

from collections.abc import Iterable, Mapping

from gateway.control.approval_documents import ApprovalPolicyDocument, GateKeys
from gateway.control.policy_declared import Declared
from gateway.control.policy_values import RoutePolicy, Where
from gateway.core.approval import who_can
from gateway.core.approval_policy import ApprovalPolicy, Emergency, Gate
from gateway.core.errors import Problem
from gateway.core.operator import Operators


def approval_policies_of(
    declared: Declared, routes: Mapping[str, object], operators: Operators
) -> dict[str, ApprovalPolicy]:
    """Make the approval policies by name; `routes` are those that they may name."""
    made = {}
    for each in declared.all_of(ApprovalPolicyDocument):
        keys = each.keys
        for index, name in enumerate(keys.routes or ()):
            declared.refer(each, ("routes", index), "route", name, routes)
        policy = _policy(keys)
        for role, count in who_can(policy, operators.by_name.values()):
            if count < policy.requires[role]:
                said = f": {count} of the declared operators sign for {role}, so it can never be given"
                declared.findings.warn(each, ("requires", role), said, "have others sign for it, or correct the name")
        made[keys.name] = policy
    return made


def places_of(declared: Declared) -> dict[str, Where]:
    """Say where each approval policy is declared."""
    return {each.keys.name: each.where for each in declared.all_of(ApprovalPolicyDocument)}


def ungoverned(
    routes: Mapping[str, RoutePolicy], policies: Mapping[str, ApprovalPolicy], environment: str
) -> list[Problem]:
    """Find routes of the tier high that no approval policy governs in an environment."""
    return [
        Problem(
            route.where.file,
            route.where.line,
            f"route {route.name} is of risk_tier high, and no approval policy governs it in environment {environment}",
            "declare a `kind: approval_policy` that applies to it",
        )
        for route in routes.values()
        if route.risk_tier == "high"
        and not any(each.applies(route.name, environment, route.risk_tier) for each in policies.values())
    ]


def unanchored(routes: Mapping[str, RoutePolicy]) -> list[Problem]:
    """Find routes of the tier high, which no gateway serves whose audit trail is not signed and kept elsewhere."""
    return [
        Problem(
            route.where.file,
            route.where.line,
            f"route {route.name} is of risk_tier high, which takes an audit trail that is signed and kept elsewhere",
            "start the gateway with --audit-key FILE and --audit-anchor ANCHOR",
        )
        for route in routes.values()
        if route.risk_tier == "high"
    ]


def _policy(keys: ApprovalPolicyDocument) -> ApprovalPolicy:
    emergency = keys.emergency
    return ApprovalPolicy(
        name=keys.name,
        requires=dict(keys.requires),
        routes=_scope(keys.routes),
        environments=_scope(keys.environments),
        risk_tiers=_scope(keys.risk_tiers),
        max_age=keys.max_age,
        deadline=keys.deadline,
        reminder=keys.reminder,
        gates=tuple(_gate(each) for each in keys.gates),
        governs_route=keys.governs_route,
        emergency=None if emergency is None else Emergency(frozenset(emergency.roles), emergency.review_within),
    )


def _scope(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _gate(keys: GateKeys) -> Gate:
    if keys.rollback_plan:
        return Gate("rollback_plan")
    if keys.card:
        return Gate("card")
    return Gate("evaluation", keys.evaluation, keys.metric, keys.min, keys.max, keys.min_n, keys.group)
