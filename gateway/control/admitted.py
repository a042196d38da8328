"""Whether a policy set may serve, given what has served before."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from gateway.control.policies import Policies, RoutePolicy
from gateway.control.snapshots import Releases
from gateway.core.errors import Problem
from gateway.core.ports import ServedVersion
from gateway.core.release import Release
from gateway.core.rollout import RouteRecord
from gateway.core.snapshot import Snapshot


class Terms(Protocol):
    """How this process may serve."""

    @property
    def dev(self) -> bool:
        """Whether the content of served versions may change."""
        ...

    @property
    def open(self) -> bool:
        """Whether a set without applications may serve."""
        ...


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


def _first_file(policies: Policies) -> str:
    return min((route.where.file for route in policies.routes.values()), default="policies")


def _of_route(route: RoutePolicy, record: RouteRecord | None) -> Iterator[Problem]:
    if record is None:
        return
    where = route.where
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
            digest = served.get((item.kind, item.name, item.version))
            if digest is not None and digest != item.digest:
                where = policies.routes[route].where
                yield Problem(
                    where.file,
                    where.line,
                    f"the content of {item.kind} {item.name}@{item.version} (release {route}/{version}) "
                    "has changed since it served",
                    "versions are immutable: put it back and publish a new version",
                )


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
        for version, release in in_use.items():
            if version not in route.out:
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
