"""Who depends on a version: the applications that may meet it, as declared, and those that have, as observed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

RECENT_SECONDS = 7 * 86_400.0
"""How far back requests count as traffic that a retirement would cut off."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests of an application a release has answered, and when the last was (wall seconds)."""

    app: str
    route: str
    release: str
    requests: int
    last_at: float


@dataclass(frozen=True, slots=True)
class Dependent:
    """An application that meets a version by one release of a route.

    `tracks` are those on which the release serves now; `is_declared` says whether the application may call the route by
    the policy files; `requests` and `last_at` (wall seconds) are what was observed, 0 and None where nothing was.
    """

    app: str
    route: str
    release: str
    tracks: tuple[str, ...]
    is_declared: bool = False
    requests: int = 0
    last_at: float | None = None

    @property
    def is_recent(self) -> bool:
        """Whether it was observed at all, in the time that was looked at."""
        return self.requests > 0


def dependents(
    declared: Iterable[tuple[str, str, str]],
    observed: Iterable[Traffic],
    tracks: Mapping[tuple[str, str], tuple[str, ...]],
) -> list[Dependent]:
    """Join what is declared, as (app, route, release), with what was observed, by application, route and release.

    `tracks` gives those of each (route, release) that serves now.
    """
    found: dict[tuple[str, str, str], Dependent] = {}

    def at(app: str, route: str, release: str) -> Dependent:
        return found.get((app, route, release)) or Dependent(app, route, release, tracks.get((route, release), ()))

    for app, route, release in declared:
        found[app, route, release] = replace(at(app, route, release), is_declared=True)
    for seen in observed:
        known = at(seen.app, seen.route, seen.release)
        found[seen.app, seen.route, seen.release] = replace(known, requests=seen.requests, last_at=seen.last_at)
    return [found[key] for key in sorted(found)]
