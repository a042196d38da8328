"""What providers really serve, compared with what was pinned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.ports import Journal, Meters
from gateway.core.release import Release
from gateway.core.route import Route

MAX_NAME = 200
"""Characters kept of a model's name or fingerprint."""


@dataclass(slots=True)
class Sighting:
    """What one release's answers said last, what they said first, and how many did not fit.

    `fits` is the release that the last one was held against and fitted.
    """

    first_model: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    mismatches: int = 0
    fits: Release | None = None

    def says_again(self, release: Release, model: str | None, fingerprint: str | None) -> bool:
        """Whether an answer says what the last one said, which was right: nearly every one does."""
        return self.fits is release and self.model == model and self.fingerprint == fingerprint


class ServedModels:
    """Watches the model and fingerprint of every answer.

    An answer is a mismatch when its model is not the pinned one, or, for a model that has no exact name, not the one
    first seen; or when the policy pins a fingerprint and it is another. A change is logged once. A fingerprint that the
    policy does not pin is watched for change alone, since providers change it with every update of theirs.
    """

    def __init__(
        self, meters: Meters, journal: Journal, on_mismatch: Callable[[str, str, str, dict[str, Any]], None]
    ) -> None:
        """`on_mismatch` is called where the route asks for a rollback."""
        self._meters = meters
        self._journal = journal
        self._on_mismatch = on_mismatch
        self._seen: dict[tuple[str, str], Sighting] = {}

    def saw(self, route: Route, release: Release, served_model: str | None, fingerprint: str | None) -> None:
        """Hear what an answer said of its model."""
        sighting = self._seen.get((route.name, release.version))
        if sighting is not None and sighting.says_again(release, served_model, fingerprint):
            return
        self._look(route, release, _bounded(served_model), _bounded(fingerprint))

    def _look(self, route: Route, release: Release, served_model: str | None, fingerprint: str | None) -> None:
        sighting = self._seen.setdefault((route.name, release.version), Sighting())
        if sighting.first_model is None:
            sighting.first_model = served_model
        expected = release.model.served_model or sighting.first_model
        wrong = served_model is not None and served_model != expected
        pinned = release.model.fingerprint
        drifted = pinned is not None and fingerprint is not None and fingerprint != pinned
        self._log_change(route, release, sighting, served_model, fingerprint, wrong=wrong or drifted)
        sighting.fits = None if wrong or drifted else release
        if sighting.fits is not None:
            return
        sighting.mismatches += 1
        self._meters.mismatch(route.name, release.version)
        if route.on_mismatch == "rollback" and route.can_roll_back(release.version):
            evidence = {"pinned": expected, "served": served_model, "fingerprint": fingerprint}
            self._on_mismatch(route.name, release.version, "mismatch", evidence)

    def describe(self, route: str, version: str) -> Mapping[str, Any]:
        """Give what was seen of a release, for people."""
        sighting = self._seen.get((route, version))
        if sighting is None:
            return {"served_model": None, "fingerprint": None, "mismatches": 0}
        return {
            "served_model": sighting.model,
            "fingerprint": sighting.fingerprint,
            "mismatches": sighting.mismatches,
        }

    def _log_change(
        self,
        route: Route,
        release: Release,
        sighting: Sighting,
        served_model: str | None,
        fingerprint: str | None,
        *,
        wrong: bool,
    ) -> None:
        """Log a change once, not every answer that shows it."""
        before = sighting.model, sighting.fingerprint
        now = served_model or sighting.model, fingerprint or sighting.fingerprint
        if now == before:
            return
        sighting.model, sighting.fingerprint = now
        if before != (None, None) or wrong:
            self._journal.event(
                "served_model_mismatch" if wrong else "served_model_changed",
                level="warning",
                route=route.name,
                release=release.version,
                pinned=release.model.served_model,
                served=served_model,
                fingerprint=fingerprint,
                before={"served": before[0], "fingerprint": before[1]},
            )


def _bounded(said: str | None) -> str | None:
    """What a provider says of itself, short enough to keep and without what UTF-8 cannot carry."""
    return None if said is None else said[:MAX_NAME].encode(errors="replace").decode()
