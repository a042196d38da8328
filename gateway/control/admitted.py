"""Whether a policy set may serve, given what has served before."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.control import signatures
from gateway.control.experiment_arms import are_comparable, arms_of
from gateway.control.policies import Policies, RoutePolicy
from gateway.control.snapshots import Releases
from gateway.control.terms import Terms
from gateway.core.errors import Problem
from gateway.core.ports import ExperimentStart, ServedVersion
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
    if not terms.dev:
        found += _changed(policies, releases, served)
    if not policies.app_names and not terms.open:
        found.append(
            Problem(
                _first_file(policies),
                1,
                "no application is declared, and the gateway listens beyond loopback",
                "declare `kind: app` with keys, or listen on 127.0.0.1",
            )
        )
    return sorted(found)


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
