"""What is recorded of a route: which release is stable, which were, its latest rollout; and what files make of it.

The law: what is recorded wins over what a file asks for, and only a change of the file's `serve:` line asks anew. Where
several gateways share the record, a line that it has gone on from asks nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.core import rollout as rules
from gateway.core.plan import Plan
from gateway.core.rollout import NOT_STARTED, Rollout, RolloutState

GATEWAY = "gateway"
"""The actor of what Pinion does by itself."""

POLICY = "policy"
"""The actor of what a changed policy file means."""

WARM_RELEASES = 3
UNDO_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Former:
    """A version that was stable until the wall time `until`."""

    version: str
    until: float


@dataclass(frozen=True, slots=True)
class ServeLine:
    """A route's `serve:` line as one gateway's file has it.

    `seen` is the line that this gateway had before; None where it has just started. `leads` says that it is the one
    that moves rollouts on: no other one is there to have gone on from its files.
    """

    serve: str
    seen: str | None = None
    leads: bool = True


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """What is recorded of a route: its stable version, the `serve:` line last seen, and its latest rollout.

    `attempts` gives the highest attempt that each (stable, candidate) pair has had. `out` names the versions that were
    rolled back, with the reason: they get no request until a new attempt starts. `former` are the versions that were
    stable before, the latest first. `revision` grows with every record of the route.
    """

    route: str
    stable: str
    serve_line: str
    rollout: Rollout | None = None
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    out: Mapping[str, str] = field(default_factory=dict)
    former: tuple[Former, ...] = ()
    revision: int = 1

    def moved(self, rollout: Rollout) -> "RouteRecord":
        """Give the record after its latest rollout has become `rollout`, or a new one has taken its place."""
        out = {version: why for version, why in self.out.items() if version != rollout.candidate}
        if rollout.state is RolloutState.rolled_back:
            out[rollout.candidate] = f"rolled back: {rollout.reason}"
        pair = rollout.stable, rollout.candidate
        is_completed = rollout.state is RolloutState.completed
        return replace(
            self,
            rollout=rollout,
            stable=rollout.candidate if is_completed else self.stable,
            attempts={**self.attempts, pair: max(rollout.attempt, self.attempts.get(pair, 0))},
            out=out,
            former=self._former_with(rollout) if is_completed else self.former,
            revision=self.revision + 1,
        )

    def undone(self, rollout: Rollout, target: str) -> "RouteRecord":
        """Give the record after its completed rollout was undone, with the former version `target` stable again."""
        place = next((place for place, former in enumerate(self.former) if former.version == target), -1)
        return replace(self.moved(rollout), stable=target, former=self.former[place + 1 :])

    def without(self, rollout: Rollout, target: str) -> "RouteRecord":
        """Give the record after `rollout` was taken out in favour of `target` on the strength of an earlier record.

        What has been recorded since stays: a rollout that has gone on is rolled back or undone as it is now, and of one
        that has made way for another its candidate alone is out, unless it has been tried anew since.
        """
        latest = self.rollout
        if latest is None or latest.id != rollout.id:
            is_tried_anew = self.attempts.get((rollout.stable, rollout.candidate), 0) > rollout.attempt
            if is_tried_anew or (latest is not None and latest.candidate == rollout.candidate):
                return self
            return self._with_out(rollout)
        if latest.state is RolloutState.completed:
            undone = rules.undo(latest, rollout.actor, rollout.reason, rollout.updated_at, evidence=rollout.evidence)
            return self.undone(undone, target)
        if latest.is_open:
            return self.moved(replace(rollout, step=latest.step, entered_at=latest.entered_at))
        return self._with_out(rollout)

    def _with_out(self, rollout: Rollout) -> "RouteRecord":
        out = {**self.out, rollout.candidate: f"rolled back: {rollout.reason}"}
        return replace(self, out=out, revision=self.revision + 1)

    def is_asked(self, line: ServeLine) -> bool:
        """Say whether a line of a gateway's file asks for something, or is one that others have gone on from.

        One that did not change there asks nothing. One that did asks, where its gateway leads or had the recorded one
        before; elsewhere it must be new to the record, which is in the order in which gateways brought their lines.
        """
        if line.serve in (self.serve_line, line.seen):
            return False
        return line.leads or line.seen == self.serve_line or not self._has_known(line.serve)

    def warm(self, now: float) -> tuple[str, ...]:
        """Name the versions that an undo may go back to at wall time `now`, the latest first."""
        return tuple(
            former.version
            for former in self.former
            if now - former.until <= UNDO_SECONDS and former.version not in self.out
        )

    def _has_known(self, version: str) -> bool:
        return version == self.stable or any(version in pair for pair in self.attempts)

    def _former_with(self, rollout: Rollout) -> tuple[Former, ...]:
        others = [former for former in self.former if former.version not in (rollout.candidate, self.stable)]
        return (Former(self.stable, rollout.updated_at), *others)[:WARM_RELEASES]


@dataclass(frozen=True, slots=True)
class Decision:
    """A route's new record, and the rollouts changed or made on the way, each with its verb.

    A record equal to the old one needs no writing.
    """

    record: RouteRecord
    events: tuple[tuple[str, Rollout], ...] = ()


def reconcile(
    recorded: RouteRecord | None,
    *,
    route: str,
    line: ServeLine,
    rollout_from: str | None,
    plan: Plan,
    now: float,
    new_id: str,
) -> Decision:
    """Decide what a loaded policy means for a route.

    - Nothing is recorded: the line is the first deployment; with another release to roll out from, that one is stable
      and the rollout is held.
    - The `serve:` line has not changed, or asks for nothing (`RouteRecord.is_asked`): nothing.
    - It names stable again: an open rollout is aborted.
    - It names another release: an open rollout is superseded, and a new one starts.

    `new_id` is used if a rollout is made; `now` is wall seconds.
    """
    serve = line.serve
    if recorded is None:
        if rollout_from is None or rollout_from == serve:
            return Decision(RouteRecord(route, serve, serve))
        empty = RouteRecord(route, rollout_from, serve)
        reason = f"nothing is recorded of this route; `pinion rollout start {route}` starts it"
        return _with("hold", _held(empty, plan, reason, now, new_id), empty)
    if not recorded.is_asked(line):
        return Decision(recorded)
    record = replace(recorded, serve_line=serve, revision=recorded.revision + 1)
    if serve == recorded.stable:
        return _ended(record, "rollback", f"the serve: line was changed back to {serve}", now)
    reason = f"the serve: line was changed to {serve}"
    ended = _ended(record, "supersede", reason, now)
    started = rules.start(_held(record, plan, reason, now, new_id), POLICY, reason, now)
    return _with("start", started, ended.record, ended.events)


def _ended(record: RouteRecord, verb: str, reason: str, now: float) -> Decision:
    """End the open rollout of a record, where it has one."""
    if record.rollout is None or not record.rollout.is_open:
        return Decision(record)
    end = rules.rollback if verb == "rollback" else rules.supersede
    ended = end(record.rollout, POLICY, reason, now)
    return Decision(record.moved(ended), ((verb, ended),))


def _held(record: RouteRecord, plan: Plan, reason: str, now: float, new_id: str) -> Rollout:
    """Make the next attempt at what a record's `serve:` line asks for."""
    return Rollout(
        id=new_id,
        route=record.route,
        stable=record.stable,
        candidate=record.serve_line,
        attempt=1 + record.attempts.get((record.stable, record.serve_line), 0),
        state=RolloutState.held,
        step=None,
        plan=plan,
        reason=reason,
        actor=POLICY,
        evidence=None,
        started_at=now,
        updated_at=now,
        entered_at=now,
        holds=(NOT_STARTED,),
    )


def _with(verb: str, rollout: Rollout, record: RouteRecord, earlier: tuple[tuple[str, Rollout], ...] = ()) -> Decision:
    """Decide for a new rollout, which becomes the record's latest."""
    return Decision(record.moved(rollout), (*earlier, (verb, rollout)))
