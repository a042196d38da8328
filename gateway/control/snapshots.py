"""Snapshots made of what files declare and what the store records."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.control.policies import ExperimentPolicy, Policies, RoutePolicy, ShadowPolicy
from gateway.control.standings import Standings
from gateway.core.api_key import IssuedKey
from gateway.core.app import App
from gateway.core.bucket import arm_ranges, experiment_salt, salt, shadow_salt
from gateway.core.operator import Operator
from gateway.core.recorded import ArmOut
from gateway.core.release import Release
from gateway.core.rollout import Rollout
from gateway.core.route import Arm, Canary, Experiment, Route, Shadow
from gateway.core.route_record import RouteRecord
from gateway.core.snapshot import Snapshot

Releases = Mapping[tuple[str, str], Release]
"""Compiled releases by (route, version)."""


def build_snapshot(
    policies: Policies,
    releases: Releases,
    records: Mapping[str, RouteRecord],
    arms_out: Iterable[ArmOut],
    standings: Standings,
    *,
    epoch: int,
    dev: bool,
    keys: Iterable[IssuedKey] = (),
) -> Snapshot:
    """Make the snapshot that serves a policy set as far as the records have come; a route without one is left out.

    `keys` are the issued ones that are in force now.
    """
    out = tuple(arms_out)
    bare = Snapshot(
        epoch=epoch,
        revision=policies.revision,
        routes={
            name: build_route(policy, releases, records[name], out, standings)
            for name, policy in policies.routes.items()
            if name in records
        },
        open=not policies.app_names,
        dev=dev,
        identity_providers=policies.identity_providers,
    )
    return with_keys(bare, policies, keys)


def with_keys(snapshot: Snapshot, policies: Policies, keys: Iterable[IssuedKey]) -> Snapshot:
    """Give a snapshot the keys and tokens that a set declares, and those issued ones whose owner it declares."""
    apps: dict[bytes, App] = {}
    tokens: dict[bytes, Operator] = {}
    for key in keys:
        if key.kind == "app" and key.owner in policies.callers:
            apps[key.digest] = policies.callers[key.owner]
        elif key.kind == "operator" and key.owner in policies.operators.by_name:
            tokens[key.digest] = replace(policies.operators.by_name[key.owner], identified="issued", by=key.id)
    declared = policies.operators
    operators = replace(declared, by_token={**tokens, **declared.by_token})
    return replace(snapshot, keys={**apps, **policies.apps}, operators=operators)


def build_route(
    policy: RoutePolicy,
    releases: Releases,
    record: RouteRecord,
    arms_out: Iterable[ArmOut],
    standings: Standings,
) -> Route:
    """Make one route: what its file declares, split as its record says, without what the registry bars."""
    own = {version: standings.told(releases[policy.name, version]) for version in policy.releases}
    barred = {version: why for version, release in own.items() if (why := standings.why_out(release)) is not None}
    out = _out(policy, record, arms_out) | barred
    rollout = record.rollout
    canary, shadow = None, _shadow(policy.name, policy.shadow, own)
    if rollout is not None and rollout.is_in_step:
        canary = Canary(own[rollout.candidate], rollout.weight_ppm, salt(rollout.salt), rollout.id)
        is_retired = policy.releases[rollout.candidate].retired is not None or rollout.candidate in barred
        if rollout.shadow_ppm and not is_retired:
            shadow = _shadow_step(policy.name, rollout, policy.shadow, own[rollout.candidate])
    return Route(
        name=policy.name,
        dialect=policy.dialect,
        releases=own,
        stable=own[_serving_stable(record, own, out)],
        sticky_by=policy.sticky_by,
        canary=canary,
        experiment=_experiment(policy.name, policy.experiment, own),
        rules=policy.rules,
        fallback=tuple(own[version] for version in policy.fallback),
        shadow=shadow,
        breaker=policy.breaker,
        on_mismatch=policy.on_mismatch,
        out=out,
        owner=policy.owner,
        slo=policy.slo,
    )


def _experiment(route: str, policy: ExperimentPolicy | None, own: Mapping[str, Release]) -> Experiment | None:
    if policy is None:
        return None
    ranges = arm_ranges([arm.ppm for arm in policy.arms])
    arms = tuple(Arm(arm.name, own[arm.release], held) for arm, held in zip(policy.arms, ranges, strict=True))
    return Experiment(policy.name, salt(experiment_salt(route, policy.name)), arms)


def _shadow(route: str, policy: ShadowPolicy | None, own: Mapping[str, Release]) -> Shadow | None:
    return None if policy is None else _shadow_of(route, policy, own[policy.release])


def _shadow_of(route: str, policy: ShadowPolicy, release: Release, *, is_step: bool = False) -> Shadow:
    return Shadow(
        release=release,
        ppm=policy.ppm,
        salt=salt(shadow_salt(route, release.version)),
        max_body=policy.max_body,
        timeout=policy.timeout,
        daily_budget_usd=policy.daily_budget_usd,
        is_step=is_step,
    )


def _shadow_step(route: str, rollout: Rollout, standing: ShadowPolicy | None, candidate: Release) -> Shadow:
    """Give the mirror of a rollout's shadow step. It takes the place of a standing one, whose limits it keeps."""
    limits = standing or ShadowPolicy(rollout.candidate, ppm=0)
    return _shadow_of(route, replace(limits, ppm=rollout.shadow_ppm), candidate, is_step=True)


def _serving_stable(record: RouteRecord, own: Mapping[str, Release], out: Mapping[str, str]) -> str:
    """Name the release that serves as stable: the recorded one, or the newest before it that takes requests.

    Where there is none it is the recorded one, which is out: the route answers with 503.
    """
    former = (each.version for each in record.former)
    return next(
        (version for version in (record.stable, *former) if version in own and version not in out), record.stable
    )


def _out(policy: RoutePolicy, record: RouteRecord, arms_out: Iterable[ArmOut]) -> dict[str, str]:
    """Name the releases that get no request at all, and why."""
    out = {version: why for version, why in record.out.items() if version in policy.releases}
    out |= {version: f"retired: {own.retired}" for version, own in policy.releases.items() if own.retired is not None}
    rollout = record.rollout
    if rollout is not None and rollout.is_in_step and rollout.weight_ppm == 0:
        out.setdefault(rollout.candidate, "its step is at weight 0")
    if policy.experiment is not None:
        tripped = {
            gone.release: f"out of experiment {gone.experiment}: {gone.reason}"
            for gone in arms_out
            if gone.route == policy.name and gone.experiment == policy.experiment.name
        }
        out.update(tripped)
        for arm in policy.experiment.arms:
            if arm.ppm == 0 and all(a.ppm == 0 for a in policy.experiment.arms if a.release == arm.release):
                out.setdefault(arm.release, f"arm {arm.name} is at weight 0")
    return out
