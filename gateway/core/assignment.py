"""Which release answers a request, on which track, and why. The same request always gets the same answer."""

from collections.abc import Callable

from gateway.core.errors import Forbidden
from gateway.core.release import Release
from gateway.core.route import Route, Track
from gateway.core.unit import Unit
from gateway.core.value import value


@value
class Facts:
    """What an assignment may depend on.

    `forced` is the release version that an entitled application names, `follow_up` the version that made the response
    which this request continues.
    """

    app: str
    found_unit: Unit | None
    input_chars: int
    header: Callable[[str], str | None]
    forced: str | None = None
    follow_up: str | None = None

    @property
    def unit(self) -> str | None:
        """The unit's bare value."""
        return None if self.found_unit is None else self.found_unit.value


@value
class Assignment:
    """The release for a request, its track, a sentence why, and the bucket where one was computed.

    `split` is what decided: `EXPERIMENT/ARM`, the id of the rollout whose canary is running, or None.
    """

    release: Release
    track: Track
    why: str
    bucket: int | None = None
    split: str | None = None


def assign(route: Route, facts: Facts) -> Assignment:
    """Decide by the first of: force, follow-up, rules, experiment, rollout, stable.

    Raises:
        Forbidden: the forced release gets no requests, or the route has none of that version.
    """
    if facts.forced is not None:
        return _forced(route, facts.forced)
    earlier = route.releases.get(facts.follow_up or "")
    if earlier is not None and not route.is_out(earlier):
        why = "it made the response that this one continues"
        own = _by_bucket(route, facts.unit)
        if own.split is not None and own.release.version == earlier.version:
            # The unit's own split would have said the same, so the conversation counts for it as a whole.
            return Assignment(earlier, own.track, why, split=own.split)
        return Assignment(earlier, _track_of(route, earlier), why)
    for rule in route.rules:
        release = route.releases[rule.release]
        if not route.is_out(release) and rule.matches(facts):
            return Assignment(release, "rule", rule.name)
    return _by_bucket(route, facts.unit)


def _forced(route: Route, version: str) -> Assignment:
    release = route.releases.get(version)
    if release is None:
        known = ", ".join(route.releases)
        raise Forbidden(
            f"route {route.name} has no release {version!r}; it has {known}",
            "forces a release that there is none of",
            route.name,
        )
    if route.is_out(release):
        why = "forces a release that gets no requests"
        raise Forbidden(f"release {release} gets no requests: {route.out[version]}", why, route.name, version)
    return Assignment(release, "forced", "the application named it")


def _by_bucket(route: Route, unit: str | None) -> Assignment:
    if unit is None:
        return Assignment(route.stable, "stable", "the request has no unit")
    if route.experiment is not None:
        bucket = route.experiment.salt.bucket(unit)
        for arm in route.experiment.arms:
            if arm.range.holds(bucket) and not route.is_out(arm.release):
                why = f"arm {arm.name} of experiment {route.experiment.name} holds bucket {bucket}"
                return Assignment(arm.release, "arm", why, bucket, arm_split(route.experiment.name, arm.name))
        return Assignment(route.stable, "stable", f"no arm serves bucket {bucket}", bucket)
    if route.canary is not None and not route.is_out(route.canary.release):
        bucket = route.canary.salt.bucket(unit)
        if bucket < route.canary.weight_ppm:
            why = f"bucket {bucket} is under the canary's {route.canary.weight_ppm}"
            return Assignment(route.canary.release, "canary", why, bucket, route.canary.rollout)
        why = f"bucket {bucket} is not under {route.canary.weight_ppm}"
        return Assignment(route.stable, "stable", why, bucket, route.canary.rollout)
    if route.is_out(route.stable):
        why = f"stable is out ({route.out[route.stable.version]}), and nothing before it can serve: requests get 503"
        return Assignment(route.stable, "stable", why)
    return Assignment(route.stable, "stable", "no rollout or experiment is running")


def arm_split(experiment: str, arm: str) -> str:
    """Name what an arm of an experiment decides, as assignments and records say it."""
    return f"{experiment}/{arm}"


def _track_of(route: Route, release: Release) -> Track:
    if release.version == route.stable.version:
        return "stable"
    if route.canary is not None and route.canary.release.version == release.version:
        return "canary"
    if route.experiment is not None and any(a.release.version == release.version for a in route.experiment.arms):
        return "arm"
    return "rule"
