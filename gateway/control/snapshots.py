"""Snapshots made of what files declare and what the store records."""

from collections.abc import Iterable, Mapping

from gateway.control.policies import ExperimentPolicy, Policies, RoutePolicy, ShadowPolicy
from gateway.core.bucket import arm_ranges, experiment_salt, salt, shadow_salt
from gateway.core.ports import ArmOut
from gateway.core.release import Release
from gateway.core.rollout import RolloutState, RouteRecord
from gateway.core.route import Arm, Canary, Experiment, Route, Shadow
from gateway.core.snapshot import Snapshot

Releases = Mapping[tuple[str, str], Release]
"""Compiled releases by (route, version)."""


def build_snapshot(
    policies: Policies,
    releases: Releases,
    records: Mapping[str, RouteRecord],
    arms_out: Iterable[ArmOut],
    *,
    epoch: int,
    dev: bool,
) -> Snapshot:
    """Make the snapshot that serves a policy set as far as the records have come; every route has its record."""
    out = tuple(arms_out)
    return Snapshot(
        epoch=epoch,
        revision=policies.revision,
        routes={name: build_route(policy, releases, records[name], out) for name, policy in policies.routes.items()},
        keys=policies.apps,
        open=not policies.app_names,
        dev=dev,
    )


def build_route(policy: RoutePolicy, releases: Releases, record: RouteRecord, arms_out: Iterable[ArmOut]) -> Route:
    """Make one route: what its file declares, split as its record says."""
    own = {version: releases[policy.name, version] for version in policy.releases}
    rollout = record.rollout
    canary = None
    if rollout is not None and rollout.state is RolloutState.running:
        canary = Canary(own[rollout.candidate], rollout.weight_ppm, salt(rollout.salt), rollout.id)
    return Route(
        name=policy.name,
        dialect=policy.dialect,
        releases=own,
        stable=own[record.stable],
        sticky_by=policy.sticky_by,
        canary=canary,
        experiment=_experiment(policy.name, policy.experiment, own),
        rules=policy.rules,
        fallback=tuple(own[version] for version in policy.fallback),
        shadow=_shadow(policy.name, policy.shadow, own),
        breaker=policy.breaker,
        on_mismatch=policy.on_mismatch,
        out=_out(policy, record, arms_out),
        owner=policy.owner,
    )


def _experiment(route: str, policy: ExperimentPolicy | None, own: Mapping[str, Release]) -> Experiment | None:
    if policy is None:
        return None
    ranges = arm_ranges([arm.ppm for arm in policy.arms])
    arms = tuple(Arm(arm.name, own[arm.release], held) for arm, held in zip(policy.arms, ranges, strict=True))
    return Experiment(policy.name, salt(experiment_salt(route, policy.name)), arms)


def _shadow(route: str, policy: ShadowPolicy | None, own: Mapping[str, Release]) -> Shadow | None:
    if policy is None:
        return None
    return Shadow(
        release=own[policy.release],
        ppm=policy.ppm,
        salt=salt(shadow_salt(route, policy.release)),
        max_body=policy.max_body,
        timeout=policy.timeout,
        daily_budget_usd=policy.daily_budget_usd,
    )


def _out(policy: RoutePolicy, record: RouteRecord, arms_out: Iterable[ArmOut]) -> dict[str, str]:
    """Name the releases that get no request at all, and why."""
    out = dict(record.out)
    rollout = record.rollout
    if rollout is not None and rollout.state is RolloutState.running and rollout.weight_ppm == 0:
        out[rollout.candidate] = "its step is at weight 0"
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
