"""What must hold after every step, whatever has failed. The store's own record is the judge."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.core.assignment import Facts, assign
from gateway.core.recorded import Recorded
from gateway.core.review import Review
from gateway.core.rollout import RolloutState
from gateway.core.route_record import GATEWAY, POLICY
from gateway.core.unit import Unit

SOON = 2.5
"""Within how many seconds of fair weather a replica knows what the store holds: it looks every second."""

THREADS = 20
"""How many works of threads come between two looks at most: a policy set is taken, then another that came meanwhile."""

AT_ONCE = 0.3
"""Within how many seconds a running replica acts on what it has heard: a step of its loop, and a thread's work."""

UNITS = tuple(Unit(f"unit-{n}", "header:x-pinion-unit") for n in range(16))

OVER = frozenset((RolloutState.rolled_back, RolloutState.superseded))
ALONE = frozenset(("promote", "advance", "hold", "clear"))
"""What the gateway that judges does alone, of what is done in the gateway's name."""


ONCE = frozenset(("start", "promote", "advance", "retry", "supersede"))
"""What a rollout meets once in a step. A person may take out what is out by an act of their own, a gateway may not."""


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass
class Seen:
    """What one life of a replica has shown."""

    snapshot: Any = None
    out: set[str] = field(default_factory=set)
    revoked: set[tuple] = field(default_factory=set)
    keys_out: set[str] = field(default_factory=set)
    weights: dict[str, int] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)


class Truth:
    """What the store has held, by looking at it after each commit."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.recorded = Recorded(epoch=0)
        self.allowed: set[tuple] = set()
        self.admitted: set[tuple[str, str]] = set()
        self.since: dict[tuple, float] = {}
        self.done: set[tuple] = set()
        self.over: set[str] = set()
        self.at = 0.0

    def take(self, recorded: Recorded) -> None:
        """Hold the new state against the one before, and keep what it allows."""
        for name, record in recorded.routes.items():
            self._check_route(name, record)
            self.allowed.add((name, "stable", record.stable))
            rollout = record.rollout
            if rollout is not None:
                self.allowed.add((name, rollout.id, rollout.weight_ppm))
                if rollout.state in OVER:
                    self.over.add(rollout.id)
        self.admitted.update((each.route, each.release) for each in recorded.governance.admissions)
        self._check_revocations(recorded)
        self.recorded, self.at = recorded, self._now()

    def _check_route(self, name: str, record: Any) -> None:
        before = self.recorded.routes.get(name)
        if before == record:
            return
        self.since["route", name] = self._now()
        if before is None:
            return
        _hold(record.revision > before.revision, f"the store's {name} went from revision {before.revision} back")
        was, now = before.rollout, record.rollout
        if was is not None and now is not None and was.id == now.id:
            _hold(was.state not in OVER or now.state is was.state, f"{was.id} was {was.state}, and is {now.state}")
            _hold((now.step or 0) >= (was.step or 0), f"{was.id} goes back from step {was.step} to {now.step}")
            completed = RolloutState.completed
            _hold(was.state is not completed or now.state in (completed, RolloutState.rolled_back), f"{was.id} reopens")
        if now is not None and (was is None or was.id != now.id):
            _hold(("rollout", now.id) not in self.done, f"{now.id} has come back")
        if was is not None:
            self.done.add(("rollout", was.id))

    def _check_revocations(self, recorded: Recorded) -> None:
        now = {each.key: each for each in recorded.standings}
        for each in self.recorded.standings:
            after = now.get(each.key)
            _hold(after is not None and after.revision >= each.revision, f"{each} was lost or went back")
            if each.review is Review.revoked:
                _hold(after.review is Review.revoked, f"{each} was revoked, and is {after.review}")
        for key, each in now.items():
            self.since.setdefault(("standing", key, each.revision), self._now())
        keys = {key.id: key for key in recorded.keys}
        for key in self.recorded.keys:
            _hold(key.id in keys, f"key {key.id} was lost")
            _hold(key.revoked_at is None or keys[key.id].revoked_at is not None, f"key {key.id} is revoked no more")
        for key in recorded.keys:
            if key.revoked_at is not None:
                self.since.setdefault(("key", key.id), self._now())


class Invariants:
    """Looks at the store after each commit, and at a replica after each of its steps."""

    def __init__(
        self,
        now: Callable[[], float],
        read: Callable[[], Recorded],
        holder: Callable[[], str | None],
        thread: float,
    ) -> None:
        """`read` reads the store, `holder` says who has the lease of judging, `thread` is a thread's longest work."""
        self._now, self._read, self._holder = now, read, holder
        self.soon = SOON + THREADS * thread
        self.truth = Truth(now)
        self.splits: dict[tuple, tuple] = {}
        self.moves: set[tuple] = set()
        self.taken_out: set[str] = set()
        self.causes: Counter[str] = Counter()
        self.policy_moves: Counter[tuple[str, str]] = Counter()
        self.changed: set[str] = set()
        self.acknowledged: list[tuple[str, Callable[[Recorded], bool]]] = []

    # The store

    def committed(self, who: str, holder: str, name: str, epoch: int | None, given: tuple) -> None:
        """A write has been committed by a replica, which holds leases as `holder`."""
        if epoch is None:
            return
        before = self.truth.recorded
        _hold(epoch > before.epoch, f"epoch {epoch} follows {before.epoch}")
        if name == "record_routes":
            for move in given[0]:
                self._check_move(holder, move, before)
                self._check_flapping(who, move)
                self._check_order(who, holder, move, before)
        self.truth.take(self._read())

    def _check_move(self, holder: str, move: Any, before: Recorded) -> None:
        known = before.routes.get(move.record.route)
        revision = 0 if known is None else known.revision
        _hold(move.after == revision, f"a move of {move.record.route} rests on {move.after}, the store has {revision}")
        for event in move.events:
            rollout = event.rollout
            act = rollout.id, event.verb, rollout.step, rollout.updated_at, rollout.actor, rollout.reason
            if rollout.state is RolloutState.rolled_back:
                told = f"{rollout.id} is taken out by {holder}, and was by another before"
                _hold(rollout.actor != GATEWAY or rollout.id not in self.taken_out, told)
                self.taken_out.add(rollout.id)
            if event.verb in ONCE:
                act = *act[:3], rollout.state is RolloutState.completed
            _hold(act not in self.moves, f"{event.verb} of {rollout.id} to step {rollout.step} is recorded twice")
            self.moves.add(act)
            if rollout.actor == GATEWAY and event.verb in ALONE:
                _hold(holder == self._holder(), f"{event.verb} of {rollout.id} by one who has lost the lease")

    def _check_flapping(self, who: str, move: Any) -> None:
        """Files move a route when they are read for a reason: at a start, after a change, once something is granted.

        Replicas that follow others whose files differ from theirs move nothing.
        """
        if any(event.rollout.actor == POLICY for event in move.events):
            self.policy_moves[who, move.record.route] += 1
        granted = len(self.truth.recorded.governance.approvals) + len(self.truth.recorded.governance.exceptions)
        told = f"{who} moves {move.record.route} by its files again, for no reason"
        _hold(self.policy_moves[who, move.record.route] <= self.causes[who] + granted, told)

    def _check_order(self, who: str, holder: str, move: Any, before: Recorded) -> None:
        """A start with files that others have gone on from moves nothing, as long as one of those may be there."""
        known = before.routes.get(move.record.route)
        line = move.record.serve_line
        if known is None or line == known.serve_line or who in self.changed or holder == self._holder():
            return
        lines = {known.stable}.union(*known.attempts)
        _hold(line not in lines, f"{who} starts, and takes {move.record.route} from {known.serve_line} back to {line}")

    def answered(self, what: str, holds: Callable[[Recorded], bool]) -> None:
        """Somebody was told that something is done: it is in the store, now and at the end."""
        _hold(holds(self.truth.recorded), f"{what} was answered as done, and is not in the store")
        self.acknowledged.append((what, holds))

    # A replica

    def began(self, before: Seen | None) -> Seen:
        """A new life begins: what the one before it had taken out, and the store has, is out in this one too."""
        return Seen(out=set() if before is None else before.out & self.truth.over)

    def looked(self, replica: Any, seen: Seen) -> None:
        """A replica has made a step: what it serves is what the store allows, and nothing that is out.

        What it knows by its copy alone is no promise: that may hold what was heard of, and recorded by nobody.
        """
        state = replica.live.state
        for record in () if replica.live.is_from_copy else state.records.values():
            if record.rollout is not None and record.rollout.state in OVER:
                seen.out.add(record.rollout.id)
        snapshot = replica.live.current
        if snapshot is seen.snapshot:
            return
        seen.snapshot = snapshot
        for name, route in snapshot.routes.items():
            self._check_route(replica, seen, name, route)
        self._check_keys(replica, seen)
        self._check_standings(replica, seen)

    def _check_route(self, replica: Any, seen: Seen, name: str, route: Any) -> None:
        truth, who = self.truth, replica.name
        if not route.is_out(route.stable):
            version = route.stable.version
            _hold((name, "stable", version) in truth.allowed, f"{who} has {name}/{version} stable ahead of the store")
            self._check_admission(replica, name, version)
        canary = route.canary
        weight = 0 if canary is None else route.weight_ppm(canary.release.version)
        if not weight or canary.release.version == route.stable.version:
            return
        told = f"{who} serves {name}/{canary.release.version} at {weight} by {canary.rollout}"
        _hold(not replica.live.is_from_copy, f"{told}, of which it knows by its copy alone")
        _hold((name, canary.rollout, weight) in truth.allowed, f"{told}, ahead of the store")
        _hold(canary.rollout not in seen.out, f"{told}, which it had taken out")
        _hold(weight >= seen.weights.get(canary.rollout, 0), f"{told}, a step back")
        seen.weights[canary.rollout] = weight
        self._check_admission(replica, name, canary.release.version)
        self._check_split(told, name, route)

    def _check_admission(self, replica: Any, name: str, version: str) -> None:
        if replica.live.state.governance.policies:
            _hold((name, version) in self.truth.admitted, f"{replica.name} serves {name}/{version} without an approval")

    def _check_split(self, told: str, name: str, route: Any) -> None:
        canary = route.canary
        split = name, canary.rollout, canary.weight_ppm, route.stable.version
        facts = [Facts("helpdesk", unit, 0, lambda _name: None) for unit in UNITS]
        sides = tuple(assign(route, each).release.version for each in facts)
        _hold(self.splits.setdefault(split, sides) == sides, f"{told}, and splits otherwise than others")

    def _check_keys(self, replica: Any, seen: Seen) -> None:
        for key in replica.live.state.keys.values():
            if key.revoked_at is not None:
                if not replica.live.is_from_copy:
                    seen.keys_out.add(key.id)
            elif key.id in seen.keys_out:
                raise Broken(f"{replica.name} lets in by key {key.id} again")
        let_in = set(replica.live.current.keys)
        for key in replica.live.state.keys.values():
            if key.id in seen.keys_out:
                _hold(bytes.fromhex(key.sha256) not in let_in, f"{replica.name} lets in by revoked key {key.id}")

    def _check_standings(self, replica: Any, seen: Seen) -> None:
        for key, standing in replica.live.state.standings.items():
            if standing.review is Review.revoked:
                if not replica.live.is_from_copy:
                    seen.revoked.add(key)
            else:
                _hold(key not in seen.revoked, f"{replica.name} has {standing} revoked no more")
        for name, route in replica.live.current.routes.items():
            for version in route.releases:
                if ("release", name, version) in seen.revoked:
                    _hold(version in route.out, f"{replica.name} may serve {name}/{version}, which is revoked")

    def heard(self, replica: Any, seen: Seen, since: float) -> None:
        """What a replica has heard, and had time to act on since it last stood still, is out."""
        now = self._now()
        for rollout, at in seen.heard.items():
            if now - max(at, since) < AT_ONCE:
                continue
            for name, route in replica.live.current.routes.items():
                if route.canary is not None and route.canary.rollout == rollout:
                    weight = route.weight_ppm(route.canary.release.version)
                    _hold(not weight, f"{replica.name} serves {name} by {rollout}, of whose end it has heard")

    def current(self, replica: Any, fair: float) -> None:
        """In fair weather since `fair`, a replica knows what the store has held for a while."""
        limit = self._now() - self.soon
        if fair > limit:
            return
        state, truth = replica.live.state, self.truth
        for name, record in truth.recorded.routes.items():
            if truth.since["route", name] < limit:
                known = state.records.get(name)
                said = f"{replica.name} does not know {name} at revision {record.revision}, {self.soon:g} s on"
                _hold(known is not None and known.revision >= record.revision, said)
        for each in truth.recorded.standings:
            if truth.since["standing", each.key, each.revision] < limit and each.review is Review.revoked:
                known = state.standings.get(each.key)
                _hold(known is not None and known.review is Review.revoked, f"{replica.name} does not know {each} out")
        for key in truth.recorded.keys:
            if key.revoked_at is not None and truth.since["key", key.id] < limit:
                known = state.keys.get(key.id)
                said = f"{replica.name} does not know that key {key.id} is revoked"
                _hold(known is not None and known.revoked_at is not None, said)

    # The end

    def ended(self, replicas: list[Any]) -> None:
        """After a while of fair weather: all is recorded, all know the same, and what was acknowledged is there."""
        truth = self.truth.recorded
        for what, holds in self.acknowledged:
            _hold(holds(truth), f"{what} was answered as done, and is not in the store at the end")
        for replica in replicas:
            _hold(not len(replica.recording), f"{replica.name} has {len(replica.recording)} acts to record at the end")
            known = replica.live.known()
            for name, record in truth.routes.items():
                same = _decisive(known.routes[name]) == _decisive(record)
                _hold(same, f"{replica.name} knows {name} otherwise than the store at the end")
            same = _sorted(known.governance) == _sorted(truth.governance)
            _hold(same, f"{replica.name} knows other approvals than the store at the end")
            theirs, ours = (
                sorted((each.key, each.review, each.lifecycle, each.revision) for each in at.standings)
                for at in (known, truth)
            )
            _hold(theirs == ours, f"{replica.name} knows other standings than the store at the end")
            theirs, ours = (
                sorted((each.id, each.owner, each.revoked_at is None, each.replaced_by or "") for each in at.keys)
                for at in (known, truth)
            )
            _hold(theirs == ours, f"{replica.name} knows other keys than the store at the end")
            for name, route in replica.live.current.routes.items():
                self._check_end(replica, name, route)

    def _check_end(self, replica: Any, name: str, route: Any) -> None:
        record = self.truth.recorded.routes[name]
        canary, rollout = route.canary, record.rollout
        weight = 0 if canary is None else route.weight_ppm(canary.release.version)
        is_open = rollout is not None and rollout.is_open
        _hold(
            not weight or (is_open and rollout.id == canary.rollout), f"{replica.name} serves {name} by an old rollout"
        )


def _hold(it: bool, otherwise: str) -> None:
    if not it:
        raise Broken(otherwise)


def _decisive(record: Any) -> tuple:
    """What of a route's record decides; whose word it is may be told otherwise where it was heard of first."""
    rollout = record.rollout
    shown = None if rollout is None else (rollout.id, rollout.state, rollout.step)
    former = [each.version for each in record.former]
    return record.stable, record.serve_line, shown, record.revision, sorted(record.out), former, dict(record.attempts)


def _sorted(governance: Any) -> list[list[str]]:
    """What governs, in an order of its own: what came first is nothing that anybody rests on."""
    names = ("admissions", "approvals", "exceptions", "policies", "requests")
    return [sorted(map(repr, getattr(governance, name))) for name in names]
