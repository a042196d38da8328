"""Limits of applications: from the keys of policy files to values, and what a limit in US dollars asks of a set."""

from collections.abc import Iterator

from gateway.control.policy_declared import Declaration, Declared
from gateway.control.policy_documents import AppDocument, LimitKeys
from gateway.control.policy_values import Policies, Where
from gateway.core.app import App
from gateway.core.errors import Problem
from gateway.core.limit import LIMIT_KINDS, NANO, Limit, LimitKind
from gateway.core.ports import PriceBook


def limits_of(each: Declaration[AppDocument], declared: Declared) -> tuple[Limit, ...]:
    """Make the limits of an application; no two of them count the same in the same window."""
    made: dict[tuple[LimitKind, float], Limit] = {}
    for index, keys in enumerate(each.keys.limits):
        limit = _limit(keys)
        same = made.setdefault((limit.kind, limit.per), limit)
        if same is not limit:
            said = f" limits {limit.kind} over the window of another, {same}"
            declared.findings.wrong(each, ("limits", index), said, "keep one of the two")
    return tuple(made.values())


def _limit(keys: LimitKeys) -> Limit:
    given = {kind: getattr(keys, kind) for kind in LIMIT_KINDS}
    kind, amount = next((kind, amount) for kind, amount in given.items() if amount is not None)
    return Limit(kind, round(amount * NANO) if kind == "usd" else int(amount), keys.per)


def spending_places(declared: Declared) -> dict[str, Where]:
    """Give where each application that has a limit in US dollars says so."""
    return {
        each.keys.name: each.where_of(("limits", index))
        for each in declared.all_of(AppDocument)
        for index, keys in reversed(list(enumerate(each.keys.limits)))
        if keys.usd is not None
    }


def unpriced(policies: Policies, price_book: PriceBook) -> list[Problem]:
    """Find the releases that an application with a limit in US dollars may reach, and whose price nobody knows."""
    known: dict[str, bool] = {}

    def is_priced(key: str) -> bool:
        if key not in known:
            model = policies.models[key]
            provider = policies.providers[model.provider_name].provider
            found = model.price or price_book.pricing(provider.dialect, provider.base_url, model.upstream_model)
            known[key] = found is not None
        return known[key]

    return [
        Problem(
            where.file,
            where.line,
            f"app {name} has a limit in usd, and may reach {route}/{version}, whose price is not known",
            f"state the price of {model}, or leave {route} out of the routes of {name}",
        )
        for name, where in policies.spending_places.items()
        for route, version, model in _reachable(policies, policies.callers[name])
        if not is_priced(model)
    ]


def _reachable(policies: Policies, app: App) -> Iterator[tuple[str, str, str]]:
    """Give the releases that an application may meet, each as route, version and model."""
    for route in policies.routes.values():
        for version, release in route.releases.items():
            if app.may_call(route.name) and release.retired is None:
                yield route.name, version, release.model
