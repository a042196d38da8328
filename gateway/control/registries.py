"""The registries of models, prompts, datasets and releases: what is registered, asked and decided of versions."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.control.live import Live
from gateway.control.policies import Policies
from gateway.control.policy_schema import meant
from gateway.control.registration import entries_registered
from gateway.control.standings import keys_of
from gateway.core import standing as rules
from gateway.core.audit import BY_GATEWAY, ITSELF, By, Origin
from gateway.core.audit_acts import act_of_standing
from gateway.core.dependent import RECENT_SECONDS, Dependent, dependents
from gateway.core.deployment import tracks_of
from gateway.core.errors import Overtaken, UnknownSubject, VerbRefused
from gateway.core.fleet_message import VersionOut
from gateway.core.ports import Ledger
from gateway.core.release import Release
from gateway.core.review import Review
from gateway.core.search import found_in
from gateway.core.standing import Entry, Key, Kind, Standing, title, versioned

SERVING = ("stable", "canary", "arm")
"""Tracks on which a release serves that cannot be retired: something else must serve first."""


class Registries:
    """What is registered, and the verbs on it. Each raises StoreFault where the store cannot be read or written."""

    def __init__(self, live: Live, ledger: Ledger) -> None:
        self._live = live
        self._ledger = ledger

    def __repr__(self) -> str:
        return f"<Registries {len(self._live.state.standings)} versions>"

    async def register(self, files: Mapping[str, str], author: str, origin: Origin = BY_GATEWAY) -> list[Standing]:
        """Register the model, prompt and dataset documents of some files (name to text); give where each stands.

        Raises:
            PolicyFault: a document is not acceptable, or refers to what is not there.
            VerbRefused: a version of that name is registered with other content.
        """
        live = self._live
        now = live.world.clock.wall()
        found = await asyncio.to_thread(entries_registered, files, live.state.policies, set(live.state.standings))
        async with live.changing:
            await live.caught_up()
            known = live.state.standings
            made = [(entry, rules.registered(entry, known.get(entry.key), author=author, now=now)) for entry in found]
            changed = [(entry, after) for entry, after in made if after is not known.get(entry.key)]
            await live.write((), changed, origin=origin)
        return [after for _, after in made]

    async def listed(self, kind: Kind, *, use_case: str = "", search: str = "") -> Sequence[tuple[Entry, Standing]]:
        """Give the versions of a kind, without their content.

        With `use_case` those whose use cases hold that text, with `search` those of which anything holds it.
        """
        found = await self._live.world.store.entries(kind)
        return [
            (entry, self._now(standing))
            for entry, standing in found
            if (not use_case or "use_cases" in found_in(versioned(*entry.key), entry.facts, use_case))
            and (not search or found_in(versioned(*entry.key), entry.facts, search))
        ]

    async def shown(self, key: Key) -> tuple[Entry, Standing]:
        """Give a version, and where it stands.

        Raises:
            UnknownSubject: there is no such; the nearest names are told.
        """
        self._known(key)
        found = await self._live.world.store.entry(key)
        if found is None:
            raise UnknownSubject(f"{title(*key)} is not registered yet; try again in a second")
        return found[0], self._now(found[1])

    async def versions_of(self, route: str, release: str) -> list[Standing]:
        """Give where a release, its model version and its prompt version stand; none where it is not registered."""
        found = await self._live.world.store.entry(("release", route, release))
        if found is None:
            return []
        entry, standing = found
        parts = ((kind, *str(entry.facts[kind]).split("@", 1)) for kind in ("model", "prompt") if kind in entry.facts)
        known = self._live.state.standings
        return [self._now(standing), *(known[key] for key in parts if key in known)]

    async def deprecate(
        self, key: Key, reason: str, by: By = ITSELF, *, retire_at: float | None, successor: str | None
    ) -> Standing:
        """Say that a version will end. Its answers say so from then on.

        Raises:
            UnknownSubject: there is no such version, or no such successor.
            VerbRefused: it is retired, or the date or the successor cannot be.
        """
        if successor is not None:
            self._known((*key[:2], successor))
        now = self._live.world.clock.wall()

        def move(known: Standing) -> Standing:
            return rules.deprecate(known, reason, now, retire_at=retire_at, successor=successor)

        return await self._record(key, "deprecate", by, move)

    async def retire(self, key: Key, reason: str, by: By = ITSELF) -> Standing:
        """End a version that nobody depends on any more.

        Raises:
            UnknownSubject: there is no such version.
            VerbRefused: it is retired already, a route serves it, or applications have met it lately; they are named.
        """
        recent = [each for each in await self.dependents(key) if each.is_recent]

        def move(known: Standing) -> Standing:
            after = rules.retire(known, reason, self._live.world.clock.wall())
            serving = sorted({f"{route} ({track})" for route, _, track in self._serving(key) if track in SERVING})
            if serving or recent:
                raise VerbRefused(_needed(title(*key), serving, recent))
            return after

        return await self._record(key, "retire", by, move)

    async def revoke(self, key: Key, reason: str, by: By = ITSELF) -> Standing:
        """Take a version out of traffic for good: here at once, elsewhere once it is recorded.

        Raises:
            UnknownSubject: there is no such version.
            VerbRefused: it is revoked or rejected already.
        """
        now = self._live.world.clock.wall()
        after = self._end(self._known(key), "revoke", by, lambda known: rules.review(known, "revoke", reason, now))
        await self._live.caught_up_if_possible()
        return self._live.state.standings.get(key, after)

    def end_due(self) -> None:
        """Retire what was announced to end by now."""
        now = self._live.world.clock.wall()
        due = [each for each in self._live.state.standings.values() if each.is_due(now)]
        for standing in due:
            self._end(standing, "retire", ITSELF, lambda known: rules.retire(known, rules.DUE, now))

    def _end(self, standing: Standing, verb: str, by: By, move: Callable[[Standing], Standing]) -> Standing:
        """Take a version out of traffic at once, and have it recorded; where others have moved it, from there."""
        live, after = self._live, move(standing)
        self._take(after)
        if verb == "revoke":  # a version whose end was announced ends everywhere by itself
            live.world.say(VersionOut(after.key, after.reason, after.changed_at))
        due = [after]

        async def write() -> None:
            try:
                act = act_of_standing(due[0], verb, by)
                live.noted(await live.world.store.record_standing(due[0], act))
                if due[0] is not after and self._known(standing.key) is after:
                    self._take(due[0])
            except Overtaken:
                known = (await live.world.store.recorded()).standings
                theirs = next((each for each in known if each.key == standing.key), None)
                if theirs is None:
                    self._lost(after)
                    return
                try:
                    due[0] = move(theirs)
                except VerbRefused:  # it is out like this already
                    if self._known(standing.key) is after:
                        self._take(theirs)
                    return
                raise

        live.recording.add(f"{after} out: {after.reason}", write)
        return after

    def _lost(self, standing: Standing) -> None:
        """Tell that the store is another than it was, and knows nothing of a version: there is nothing to move."""
        self._live.world.journal.event(
            "version_lost",
            level="error",
            version=str(standing),
            message=f"the store knows nothing of {standing}; once it is registered again, have it out again",
        )

    async def dependents(self, key: Key) -> list[Dependent]:
        """Give the applications that may meet a version as declared, or have met it lately.

        Raises:
            UnknownSubject: there is no such version.
        """
        self._known(key)
        releases = {(release.route, release.version) for release in await self._releases_of(key)}
        routes = sorted({route for route, _ in releases})
        since = self._live.world.clock.wall() - RECENT_SECONDS
        seen = await self._ledger.traffic(routes, since) if routes else ()
        observed = [each for each in seen if (each.route, each.release) in releases]
        tracks: dict[tuple[str, str], list[str]] = {}
        for route in self._live.current.routes.values():
            for release, track in tracks_of(route):
                tracks.setdefault((route.name, release), []).append(track)
        declared = _declared(self._live.state.policies, releases)
        return dependents(declared, observed, {place: tuple(found) for place, found in tracks.items()})

    async def _releases_of(self, key: Key) -> list[Release]:
        """Find the declared releases that a version is a part of; a dataset's by the models that were made with it."""
        if key[0] != "dataset":
            return [release for release in self._live.state.releases.values() if key in keys_of(release)]
        name = f"{key[1]}@{key[2]}"
        models = {entry.key for entry, _ in await self._live.world.store.entries("model") if name in _datasets(entry)}
        return [release for release in self._live.state.releases.values() if models & set(keys_of(release))]

    def _serving(self, key: Key) -> Iterator[tuple[str, str, str]]:
        """Give where a version serves now: route, release version, track."""
        for route in self._live.current.routes.values():
            for version, track in tracks_of(route):
                if key in keys_of(route.releases[version]):
                    yield route.name, version, track

    def _known(self, key: Key) -> Standing:
        standing = self._live.state.standings.get(key)
        if standing is None:
            alike = [title(*each) for each in self._live.state.standings if each[0] == key[0]]
            remedy = meant(title(*key), alike) or f"see `pinion {key[0]} list`"
            raise UnknownSubject(f"there is no {title(*key)}; {remedy}")
        return standing

    def _now(self, standing: Standing) -> Standing:
        """Where a version stands as this process knows it, which may be ahead of what is recorded."""
        known = self._live.state.standings.get(standing.key)
        return standing if known is None or known.revision < standing.revision else known

    async def _record(self, key: Key, verb: str, by: By, move: Callable[[Standing], Standing]) -> Standing:
        """Move a version once the move is recorded."""
        live = self._live
        async with live.changing:
            await live.caught_up()
            before = self._known(key)
            after = move(before)
            live.noted(await live.world.store.record_standing(after, act_of_standing(after, verb, by)))
            if self._known(key) is before:  # else it was taken out here meanwhile, which is recorded upon this
                self._take(after)
        return after

    def _take(self, standing: Standing) -> None:
        """Serve by where a version stands now."""
        state = self._live.state
        self._live.take_standings([standing])
        if standing.kind == "release" and standing.review in (Review.revoked, Review.rejected):
            state.governance = state.governance.without_admissions(standing.name, standing.version)
        self._live.swap_all()
        self._live.world.journal.event(
            "version_moved",
            level="warning" if standing.why_out(standing.changed_at) else "info",
            version=str(standing),
            review=standing.review.value,
            lifecycle=standing.lifecycle.value,
            reason=standing.reason,
        )


def _declared(policies: Policies, releases: set[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Give who may call the routes of some releases, by the policy files."""
    for app in policies.callers.values():
        for route, release in releases:
            if app.may_call(route):
                yield app.name, route, release


def _datasets(entry: Entry) -> Sequence[str]:
    data = entry.facts.get("data", {})
    return [*data.get("training", ()), *data.get("evaluation", ())]


def _needed(version: str, serving: Sequence[str], recent: Sequence[Dependent]) -> str:
    """Say why a version cannot be retired: what it serves, and who has met it lately."""
    said = [f"serves {', '.join(serving)}"] if serving else []
    if recent:
        days = int(RECENT_SECONDS / 86_400)
        told = ", ".join(f"{each.app} ({each.requests:,} by {each.route}/{each.release})" for each in recent)
        said.append(f"answered requests of the last {days} days for {told}")
    return f"{version} {' and '.join(said)}; deprecate it, and move them first"
