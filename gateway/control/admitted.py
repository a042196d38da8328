"""Whether a policy set may serve, given what has served before."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from gateway.control import signatures
from gateway.control.experiment_arms import are_comparable, arms_of
from gateway.control.policies import ModelPolicy, Policies, RoutePolicy
from gateway.control.policy_approvals import unanchored
from gateway.control.snapshots import Releases
from gateway.control.standings import Standings
from gateway.control.terms import Terms
from gateway.core.app import App
from gateway.core.errors import Problem
from gateway.core.recorded import ExperimentStart, ServedVersion
from gateway.core.release import Release
from gateway.core.route_record import RouteRecord
from gateway.core.snapshot import Snapshot

Served = Mapping[tuple[str, str, str], str]
"""Digests of what has served, by (kind, name, version)."""


def problems(
    policies: Policies, releases: Releases, records: Mapping[str, RouteRecord], served: Served, terms: Terms
) -> list[Problem]:
    """Give every reason why a policy set, correct by itself, may not serve here."""
    found = [problem for route in policies.routes.values() for problem in _of_route(route, records.get(route.name))]
    found += mismatches(policies)
    if not terms.dev:
        found += _changed(policies, releases, served)
        found += [] if terms.anchored else unanchored(policies.routes)
    if not policies.app_names and not terms.open:
        found.append(
            Problem(
                _first_file(policies),
                1,
                "no application is declared, and the gateway listens beyond loopback",
                "declare `kind: app` with keys, or listen on 127.0.0.1",
            )
        )
    if not policies.operators.by_name and not terms.local:
        found.append(
            Problem(
                _first_file(policies),
                1,
                "no operator is declared, and the operations API listens beyond loopback",
                "declare `kind: operator` with tokens, set PINION_ADMIN_TOKEN, or listen on 127.0.0.1",
            )
        )
    return sorted(found)


def barred(policies: Policies, releases: Releases, standings: Standings) -> list[Problem]:
    """Find releases that a set would have serve and that the registry bars: revoked, rejected, or retired."""
    found = []
    for name, route in policies.routes.items():
        for place, version in wanted_of(route):
            why = standings.why_out(releases[name, version])
            if why is not None:
                where = route.where
                said = f"route {name}: {place} names {version}, which is {why}"
                found.append(Problem(where.file, where.line, said, "name another release"))
    return found


def wanted_of(route: RoutePolicy) -> Iterator[tuple[str, str]]:
    """Give every place of a route that would have a release serve, with the release's version."""
    yield "serve", route.serve
    if route.rollout_from is not None:
        yield "rollout.from", route.rollout_from
    yield from (("fallback", version) for version in route.fallback)
    yield from ((rule.name, rule.release) for rule in route.rules)
    if route.shadow is not None:
        yield "shadow", route.shadow.release
    if route.experiment is not None:
        yield from ((f"arm {arm.name}", arm.release) for arm in route.experiment.arms)


def mismatches(policies: Policies) -> list[Problem]:
    """Find applications that may meet a model version which does not say that it may serve their data, or them."""
    found = []
    for app, route in product(policies.callers.values(), policies.routes.values()):
        if not app.may_call(route.name) or not (app.data_classes or app.segment):
            continue
        versions = route.releases if app.may_force_release else {version for _, version in wanted_of(route)}
        for version in sorted(versions):
            model = policies.models[route.releases[version].model]
            for said in _unserved(app, model):
                where = route.releases[version].where
                problem = f"app {app.name} may meet release {route.name}/{version}, and model {model} {said}"
                remedy = "say so under its may_serve, or keep the app from that route"
                found.append(Problem(where.file, where.line, problem, remedy))
    return found


def _unserved(app: App, model: ModelPolicy) -> Iterator[str]:
    for data_class in sorted(app.data_classes - model.may_serve("data_classes")):
        yield f"does not say that it may be sent {data_class} data"
    if app.segment is not None and app.segment not in model.may_serve("segments"):
        yield f"does not say that it may serve {app.segment}"


def opened(policies: Policies, before: Policies) -> list[Problem]:
    """Find that a set would open what the one before it had closed: without an operator, loopback is anybody's."""
    if policies.operators.by_name or not before.operators.by_name:
        return []
    said = "the set declares no operator any more, which would let everybody on the machine act"
    return [Problem(_first_file(policies), 1, said, "keep one, or start the gateway anew without")]


def emptied(policies: Policies, before: Policies) -> list[Problem]:
    """Find that a set would leave no route at all where the one before it had some: an accident sooner than a wish."""
    if policies.routes or not before.routes:
        return []
    said = "the set declares no route any more, which would refuse every request"
    return [Problem(".", 1, said, "declare one, or stop the gateway if nothing is to serve")]


def removed(policies: Policies, before: Policies) -> list[str]:
    """Name the routes that serve by the set before and that a set no longer declares."""
    return sorted(before.routes.keys() - policies.routes.keys())


def unsigned(policies: Policies, terms: Terms) -> list[Problem]:
    """Find the releases that are not signed as their routes ask; in development, where content may change, none.

    It checks signatures, so it is not for the serving loop.
    """
    return [] if terms.dev else signatures.unsigned(policies)


def _first_file(policies: Policies) -> str:
    return min((route.where.file for route in policies.routes.values()), default="policies")


def _of_route(route: RoutePolicy, record: RouteRecord | None) -> Iterator[Problem]:
    where = route.where
    retired = route.releases[route.serve].retired
    if retired is not None and (record is None or route.serve not in (record.serve_line, record.stable)):
        yield Problem(
            where.file,
            where.line,
            f"route {route.name} would serve {route.serve}, which is retired: {retired}",
            "serve another release",
        )
    if record is None:
        return
    if record.stable not in route.releases:
        yield Problem(
            where.file,
            where.line,
            f"route {route.name} no longer declares release {record.stable}, which is its stable",
            "declare it for as long as it serves",
        )
    rollout = record.rollout
    is_kept = rollout is not None and rollout.is_open and route.serve == record.serve_line
    if rollout is not None and is_kept and rollout.candidate not in route.releases:
        yield Problem(
            where.file,
            where.line,
            f"route {route.name} no longer declares release {rollout.candidate}, which its rollout is moving to",
            f"declare it, or roll back first: pinion rollout rollback {route.name}",
        )
    starts = route.serve not in (record.serve_line, record.stable)
    if route.experiment is not None and (starts or is_kept):
        yield Problem(
            where.file,
            where.line,
            f"route {route.name} has an experiment, and a rollout to {route.serve}",
            "end the one before the other begins",
        )


def _changed(policies: Policies, releases: Releases, served: Served) -> Iterator[Problem]:
    """Find versions whose content differs from what has served under the same name."""
    for (route, version), release in releases.items():
        for item in _versions_of(release):
            digest = served.get(item.key)
            if digest is not None and digest != item.digest:
                where = policies.routes[route].where
                yield Problem(
                    where.file,
                    where.line,
                    f"the content of {item.kind} {item.name}@{item.version} (release {route}/{version}) "
                    "has changed since it served",
                    "versions are immutable: put it back and publish a new version",
                )


def changed_experiments(policies: Policies, begun: Iterable[ExperimentStart]) -> list[Problem]:
    """Find experiments whose units could not be compared with those of the arms that they began with."""
    known = {(start.route, start.name): start.arms for start in begun}
    found = []
    for route in policies.routes.values():
        own = route.experiment
        arms = None if own is None else known.get((route.name, own.name))
        if own is not None and arms is not None and not are_comparable(arms, arms_of(own)):
            said = f"experiment {own.name} of route {route.name} has begun with other arms"
            found.append(Problem(route.where.file, route.where.line, said, "put them back, or give it another name"))
    return found


def no_longer_warm(policies: Policies, records: Mapping[str, RouteRecord], now: float) -> list[Problem]:
    """Find releases that an undo could have gone back to at wall time `now`, had the file not dropped them."""
    return [
        Problem(
            route.where.file,
            route.where.line,
            f"route {route.name} no longer declares release {version}, so an undo cannot go back to it",
            "declare it for as long as it may be wanted",
        )
        for route in policies.routes.values()
        if route.name in records
        for version in records[route.name].warm(now)
        if version not in route.releases
    ]


def servable(snapshot: Snapshot) -> list[ServedVersion]:
    """List the versions that requests can meet in a snapshot: releases with their models and prompts."""
    found: list[ServedVersion] = []
    for route in snapshot.routes.values():
        in_use: dict[str, Release] = {route.stable.version: route.stable}
        if route.canary is not None:
            in_use[route.canary.release.version] = route.canary.release
        if route.experiment is not None:
            in_use |= {arm.release.version: arm.release for arm in route.experiment.arms}
        in_use |= {rule.release: route.releases[rule.release] for rule in route.rules}
        in_use |= {release.version: release for release in route.fallback}
        if route.shadow is not None:
            in_use[route.shadow.release.version] = route.shadow.release
        mirrored = route.shadow.release.version if route.shadow is not None and route.shadow.is_step else None
        for version, release in in_use.items():
            if version not in route.out or version == mirrored:
                found += _versions_of(release)
    return list(dict.fromkeys(found))


def _versions_of(release: Release) -> list[ServedVersion]:
    versions = [
        ServedVersion("release", release.route, release.version, release.digest),
        ServedVersion("model", release.model.model, release.model.version, release.model.digest),
    ]
    if release.prompt is not None:
        versions.append(ServedVersion("prompt", release.prompt.name, release.prompt.version, release.prompt.digest))
    return versions
