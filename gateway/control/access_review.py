"""Who may what, how they are known, and what of it they have used: for whoever reviews it."""

from collections.abc import Iterator
from typing import Any

from gateway.control.live import Live
from gateway.core.access import PERMISSIONS
from gateway.core.access_use import DAY_SECONDS, STALE_DAYS, AccessUse, day_of
from gateway.core.api_key import IssuedKey, name_of_digest
from gateway.core.operator import BREAK_GLASS, LOCAL, TOKEN_HOLDER, Operator


def review(live: Live, use: AccessUse, *, has_admin_token: bool) -> dict[str, Any]:
    """Tell of every operator and every application; who has most that is unused comes first.

    A grant is unused when its permission was not used for 90 days, or ever.
    """
    now = live.world.clock.wall()
    state = live.state
    declared = state.policies.operators.by_name
    anonymous = _anonymous(has_admin_token=has_admin_token, is_declared=bool(declared))
    operators = [_operator(each, live, use, now) for each in (*declared.values(), *anonymous)]
    operators.sort(key=lambda told: (-len(told["unused"]), told["name"]))
    apps = [_app(name, live, use, now) for name in sorted(state.policies.callers)]
    apps.sort(key=lambda told: (told["last_used_at"] is not None, told["last_used_at"] or 0.0))
    return {"at": now, "stale_days": STALE_DAYS, "operators": operators, "apps": apps}


def _anonymous(*, has_admin_token: bool, is_declared: bool) -> Iterator[Operator]:
    """Give those who may without being declared."""
    if has_admin_token:
        yield BREAK_GLASS if is_declared else TOKEN_HOLDER
    elif not is_declared:
        yield LOCAL


def _operator(operator: Operator, live: Live, use: AccessUse, now: float) -> dict[str, Any]:
    may = (permission for permission in PERMISSIONS if operator.may(permission))
    days = {permission: use.grants.get((operator.name, permission)) for permission in may}
    used = [day for day in days.values() if day is not None]
    return {
        "name": operator.name,
        "is_person": operator.is_person,
        "roles": sorted(operator.roles),
        "signs_for": sorted(operator.signs_for),
        "owner": operator.owner,
        "contact": operator.contact,
        "may": [
            {"permission": each, "last_used": None if day is None else day * DAY_SECONDS} for each, day in days.items()
        ],
        "unused": [each for each, day in days.items() if day is None or day < day_of(now) - STALE_DAYS],
        "identified_by": list(_ways(operator, live, use, now)),
        "last_used": max(used) * DAY_SECONDS if used else None,
    }


def _ways(operator: Operator, live: Live, use: AccessUse, now: float) -> Iterator[dict[str, Any]]:
    """Give how an operator can be identified: by the admin token, declared and issued tokens, identity providers."""
    if operator.identified in ("local", "admin_token"):
        yield {"how": operator.identified}
        return
    operators = live.state.policies.operators
    for digest, known in operators.by_token.items():
        if known.name == operator.name:
            yield declared_key(digest, use)
    for key in live.state.keys.values():
        if (key.kind, key.owner) == ("operator", operator.name) and key.is_good(now):
            yield issued_key(key, use, now)
    for issuer, subject in (each for each, known in operators.by_subject.items() if known.name == operator.name):
        yield {"how": "oidc", "issuer": issuer, "subject": subject}


def _app(name: str, live: Live, use: AccessUse, now: float) -> dict[str, Any]:
    policies = live.state.policies
    app = policies.callers[name]
    keys = [declared_key(digest, use) for digest, known in policies.apps.items() if known.name == name]
    keys += [
        issued_key(key, use, now)
        for key in live.state.keys.values()
        if (key.kind, key.owner) == ("app", name) and key.is_good(now)
    ]
    return {
        "name": name,
        "owner": app.owner,
        "routes": None if app.routes is None else sorted(app.routes),
        "may_force_release": app.may_force_release,
        "identified_by": keys,
        "last_used_at": max((key["last_used_at"] or 0.0 for key in keys), default=0.0) or None,
    }


def declared_key(digest: bytes, use: AccessUse) -> dict[str, Any]:
    """Tell of a key that a policy file declares, by the beginning of its digest."""
    sha256 = digest.hex()
    return {
        "how": "declared",
        "key": name_of_digest(sha256),
        "expires_at": None,
        "last_used_at": use.keys.get(sha256),
    }


def issued_key(key: IssuedKey, use: AccessUse, now: float) -> dict[str, Any]:
    """Tell of an issued key: everything but its digest."""
    return {
        "how": "issued",
        "key": key.id,
        "owner": key.owner,
        "state": "revoked" if key.revoked_at is not None else "good" if key.is_good(now) else "expired",
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "revoked_by": key.revoked_by,
        "replaced_by": key.replaced_by,
        "last_used_at": use.keys.get(key.sha256),
    }
