"""A deployment: which release served which route, on which track, from when to when, why, and on whose word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.core.route import Route, Track

Place = tuple[str, str, str]
"""What serves where: route, release version, track."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One stretch of serving. Times are wall seconds; `until` is None while it lasts. `digest` is the release's.

    `approval` is the id of the approval or the exception that admitted it, None where nothing governed it.
    """

    environment: str
    route: str
    release: str
    track: Track
    digest: str
    since: float
    why: str
    actor: str
    until: float | None = None
    approval: str | None = None

    @property
    def place(self) -> Place:
        """What serves where."""
        return self.route, self.release, self.track


@dataclass(frozen=True, slots=True)
class Change:
    """What begins to serve in an environment, and what has ended, at wall time `at`."""

    environment: str
    begun: tuple[Deployment, ...]
    ended: tuple[Place, ...]
    at: float

    def __bool__(self) -> bool:
        return bool(self.begun or self.ended)


def tracks_of(route: Route) -> Mapping[tuple[str, Track], str]:
    """Name what requests, and copies of them, can meet on a route now: (release version, track), with the digest."""
    found: dict[tuple[str, Track], str] = {}

    def add(version: str, track: Track) -> None:
        if version not in route.out:
            found[version, track] = route.releases[version].digest

    add(route.stable.version, "stable")
    if route.canary is not None and route.canary.weight_ppm:
        add(route.canary.release.version, "canary")
    for arm in () if route.experiment is None else route.experiment.arms:
        if arm.range.end > arm.range.start:
            add(arm.release.version, "arm")
    for rule in route.rules:
        add(rule.release, "rule")
    for release in route.fallback:
        add(release.version, "fallback")
    if route.shadow is not None and route.shadow.ppm:
        mirrored = route.shadow.release
        if route.shadow.is_step or mirrored.version not in route.out:
            found[mirrored.version, "shadow"] = mirrored.digest
    return found


def changed(
    lasting: Iterable[Deployment],
    routes: Iterable[Route],
    words: Mapping[str, tuple[str, str]],
    *,
    environment: str,
    at: float,
) -> Change:
    """Compare what has been recorded as serving with what serves at wall time `at`.

    `words` gives for a route why it serves as it does, and on whose word: the reason and the actor of its latest act.
    """
    before = {each.place: each for each in lasting}
    begun: list[Deployment] = []
    now: set[Place] = set()
    for route in routes:
        why, actor = words[route.name]
        for (version, track), digest in tracks_of(route).items():
            place = (route.name, version, track)
            now.add(place)
            if place not in before:
                begun.append(Deployment(environment, route.name, version, track, digest, at, why, actor))
    return Change(environment, tuple(begun), tuple(place for place in before if place not in now), at)
