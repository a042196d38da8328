"""Routes and applications: from the keys of policy files to values whose every reference holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.control.policy_declared import Declaration, Declared
from gateway.control.policy_documents import AppDocument, PlanDocument
from gateway.control.policy_limits import limits_of
from gateway.control.policy_plans import criteria_of, plan_of
from gateway.control.policy_text import Place
from gateway.control.policy_upstreams import Models
from gateway.control.policy_values import (
    ArmPolicy,
    ExperimentPolicy,
    ModelPolicy,
    ProviderPolicy,
    ReleasePolicy,
    RoutePolicy,
    ShadowPolicy,
    SigningKeyPolicy,
)
from gateway.control.route_documents import ExperimentKeys, ReleaseKeys, RouteDocument, RuleKeys, WhenKeys
from gateway.core.app import ANYONE, App
from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import BUCKETS, Range, rule_salt, salt
from gateway.core.digest import digest
from gateway.core.error_budget import Slo
from gateway.core.plan import Plan
from gateway.core.prompt import PromptVersion
from gateway.core.provider import DialectName
from gateway.core.rule import Rule

Route = Declaration[RouteDocument]


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes are put together from."""

    declared: Declared
    providers: Mapping[str, ProviderPolicy]
    models: Models
    prompts: Mapping[str, PromptVersion]
    plans: Mapping[str, Plan]
    app_names: frozenset[str]
    signing_keys: Mapping[str, SigningKeyPolicy]


def plans_of(declared: Declared) -> dict[str, Plan]:
    """Make the plans that routes may share."""
    documents = (each.keys for each in declared.all_of(PlanDocument))
    return {keys.name: plan_of(keys.name, keys) for keys in documents}


def route_of(route: Route, parts: Parts) -> RoutePolicy | None:
    """Make a route, noting everything that is wrong with it; None when its releases cannot be made."""
    keys = route.keys
    for place, version in _named_releases(keys):
        parts.declared.refer(route, place, "release", version, keys.releases)
    _check_fallback(route, parts)
    for index, name in enumerate(keys.require_signature or ()):
        parts.declared.refer(route, ("require_signature", index), "signing_key", name, parts.signing_keys)
    plan = _plan(route, parts)
    experiment = None if keys.experiment is None else _experiment(route, keys.experiment, parts)
    rules = tuple(_rule(route, index, rule, parts) for index, rule in enumerate(keys.rules))
    models = {version: _model(route, version, own, parts) for version, own in keys.releases.items()}
    releases = [_release(route, version, own, models[version], parts) for version, own in keys.releases.items()]
    dialect = _dialect(route, models, parts)
    made = {release.version: release for release in releases if release is not None}
    if dialect is None or len(made) != len(releases):
        return None
    return RoutePolicy(
        name=keys.name,
        owner=keys.owner,
        dialect=dialect,
        releases=made,
        serve=keys.serve,
        rollout_from=None if keys.rollout is None else keys.rollout.from_,
        plan=plan,
        sticky_by=tuple(keys.sticky_by),
        breaker=BreakerPolicy(**keys.breaker.model_dump()),
        on_mismatch=keys.on_mismatch,
        fallback=tuple(keys.fallback),
        shadow=_shadow(keys),
        rules=rules,
        experiment=experiment,
        slo=None if keys.slo is None else Slo(**keys.slo.model_dump()),
        risk_tier=keys.risk_tier,
        where=route.where,
        require_signature=tuple(keys.require_signature or ()),
    )


def _named_releases(keys: RouteDocument) -> Iterator[tuple[Place, str]]:
    """Give every place of a route that names one of its releases."""
    yield ("serve",), keys.serve
    if keys.rollout is not None and keys.rollout.from_ is not None:
        yield ("rollout", "from"), keys.rollout.from_
    for index, version in enumerate(keys.fallback):
        yield ("fallback", index), version
    if keys.shadow is not None:
        yield ("shadow", "release"), keys.shadow.release
    for index, rule in enumerate(keys.rules):
        yield ("rules", index, "release"), rule.release
    if keys.experiment is not None:
        for name, arm in keys.experiment.arms.items():
            yield ("experiment", "arms", name, "release"), arm.release


def _check_fallback(route: Route, parts: Parts) -> None:
    findings, fallback = parts.declared.findings, route.keys.fallback
    for index, version in enumerate(fallback):
        if version in fallback[:index]:
            findings.wrong(route, ("fallback", index), f" names {version} a second time", "remove it")
        elif version == route.keys.serve:
            remedy = "name releases that can answer in its place"
            findings.warn(route, ("fallback", index), f" is {version}, which the route serves anyway", remedy)


def _plan(route: Route, parts: Parts) -> Plan:
    keys = route.keys.rollout
    if keys is None:
        return Plan.default()
    if keys.plan is not None:
        place: Place = ("rollout", "plan") if ("rollout", "plan") in route.document.lines else ("rollout",)
        return parts.declared.refer(route, place, "rollout_plan", keys.plan, parts.plans) or Plan.default()
    return plan_of(None, keys)


def _experiment(route: Route, keys: ExperimentKeys, parts: Parts) -> ExperimentPolicy:
    findings = parts.declared.findings
    total = sum(arm.percent for arm in keys.arms.values())
    if total > BUCKETS:
        said = f" take {total * 100 / BUCKETS:.10g} percent together"
        findings.wrong(route, ("experiment", "arms"), said, "lower them to 100 percent at most")
    rollout = route.keys.rollout
    if rollout is not None and rollout.from_ not in (None, route.keys.serve):
        said = f" cannot run beside the rollout from {rollout.from_} to {route.keys.serve}"
        findings.wrong(route, ("experiment",), said, "remove one of the two")
    if len(keys.arms) < 2:
        remedy = "add an arm to compare it with"
        findings.warn(route, ("experiment", "arms"), " has one arm, so there is nothing to compare", remedy)
    first = "control" if "control" in keys.arms else next(iter(keys.arms))
    return ExperimentPolicy(
        name=keys.name,
        arms=tuple(ArmPolicy(name, arm.release, arm.percent) for name, arm in keys.arms.items()),
        control=keys.control or first,
        primary=keys.primary,
        secondary=tuple(keys.secondary),
        over=keys.over,
        alpha=keys.alpha,
        guardrails=criteria_of(keys.guardrails),
        seconds=keys.for_,
    )


def _shadow(keys: RouteDocument) -> ShadowPolicy | None:
    if keys.shadow is None:
        return None
    own = keys.shadow
    return ShadowPolicy(own.release, own.percent, own.max_body, own.timeout, own.daily_budget_usd)


def _rule(route: Route, index: int, keys: RuleKeys, parts: Parts) -> Rule:
    _warn_of_unknown_apps(route, index, keys.when, parts)
    when = keys.when
    lengths = when.input_chars
    return Rule(
        name=f"rule {index + 1}",
        release=keys.release,
        apps=None if when.app is None else frozenset(when.app),
        units=None if when.unit is None else frozenset(when.unit),
        headers={name.lower(): value for name, value in (when.header or {}).items()},
        input_over=None if lengths is None else lengths.over,
        input_under=None if lengths is None else lengths.under,
        share=None if when.percent is None else Range(0, when.percent),
        salt=None if when.percent is None else salt(rule_salt(route.keys.name, index)),
    )


def _warn_of_unknown_apps(route: Route, index: int, when: WhenKeys, parts: Parts) -> None:
    known = parts.app_names or frozenset({ANYONE.name})
    for number, name in enumerate(when.app or ()):
        if name not in known:
            place = ("rules", index, "when", "app", number)
            said, remedy = f": no app {name!r} is declared, so it never calls", "declare it, or correct the name"
            parts.declared.findings.warn(route, place, said, remedy)


def _model(route: Route, version: str, keys: ReleaseKeys, parts: Parts) -> ModelPolicy | None:
    return parts.models.refer(route, ("releases", version, "model"), keys.model)


def _release(
    route: Route, version: str, keys: ReleaseKeys, model: ModelPolicy | None, parts: Parts
) -> ReleasePolicy | None:
    """Make a release; its digest covers what answers depend on."""
    place = ("releases", version)
    prompt = None
    if keys.prompt is not None:
        prompt = parts.declared.refer(route, (*place, "prompt"), "prompt", keys.prompt, parts.prompts)
    if model is None or (keys.prompt is not None and prompt is None):
        return None
    content = {
        "model": model.digest,
        "prompt": None if prompt is None else prompt.digest,
        "params": keys.params,
        "context": keys.context,
    }
    return ReleasePolicy(
        version=version,
        model=str(model),
        prompt=keys.prompt,
        params=keys.params,
        context=keys.context,
        digest=digest(content),
        content=content,
        retired=keys.retired,
        where=route.where_of(place),
    )


def _dialect(route: Route, models: Mapping[str, ModelPolicy | None], parts: Parts) -> DialectName | None:
    """Give the one dialect that all releases speak; None when there is none to give."""
    findings = parts.declared.findings
    spoken: DialectName | None = None
    for version, model in models.items():
        if model is None:
            continue
        dialect = parts.providers[model.provider_name].provider.dialect
        place = ("releases", version)
        if dialect == "gemini":
            said, remedy = " speaks gemini, and the gemini wire is not served yet", "name a model of another dialect"
            findings.wrong(route, place, said, remedy)
        elif spoken not in (None, dialect):
            said = f" speaks {dialect}, and the releases before it speak {spoken}"
            findings.wrong(route, place, said, "give the releases of each dialect a route of their own")
        else:
            spoken = dialect
    return spoken


def callers_of(declared: Declared, routes: Mapping[str, object]) -> dict[str, App]:
    """Make the applications by name; `routes` are those that the set declares."""
    callers: dict[str, App] = {}
    for each in declared.all_of(AppDocument):
        keys = each.keys
        for index, name in enumerate(keys.routes or ()):
            declared.refer(each, ("routes", index), "route", name, routes)
        callers[keys.name] = App(
            keys.name,
            None if keys.routes is None else frozenset(keys.routes),
            keys.may_force_release,
            keys.owner,
            frozenset(keys.data_classes),
            keys.segment,
            limits_of(each, declared),
        )
    return callers


def keys_of(declared: Declared, callers: Mapping[str, App]) -> dict[bytes, App]:
    """Give the applications by the digests of the keys that the set declares."""
    apps: dict[bytes, App] = {}
    first: dict[bytes, str] = {}
    for each in declared.all_of(AppDocument):
        for index, key in enumerate(each.keys.keys):
            place = ("keys", index)
            known = bytes.fromhex(key.sha256)
            if known in apps:
                said = f" is the key that stands at {first[known]} for app {apps[known].name}"
                declared.findings.wrong(each, place, said, "give every application keys of its own")
                continue
            apps[known] = callers[each.keys.name]
            first[known] = str(each.where_of(place))
    return apps
