"""What people do meanwhile, as the seed draws it: they move rollouts, ask and sign, issue and revoke, change files."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from gateway.control.rollouts import Word
from gateway.core.errors import PinionError
from gateway.core.recorded import Recorded
from gateway.core.review import Review
from tests.control.approval_world import EVE, OPERATOR
from tests.control.serving_world import files, route
from tests.core.approval_samples import ADA

VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
ROUTES = ("desk", "chat")
PLANS = (
    "{steps: [{percent: 20, hold: 2s}, {percent: 50, hold: 3s}, {percent: 100, hold: 2s}]}",
    "{steps: [{percent: 30, hold: 2s, min_requests: 5}, {percent: 60, hold: 2s}],"
    " guardrails: [{metric: error_rate, max_delta: 0.1}]}",
    "{steps: [{percent: 20, hold: 1s}, {percent: 40, hold: 1s, approval: true}, {percent: 80, hold: 4s}],"
    " on_inconclusive: promote, guardrails: [{metric: error_rate, max_delta: 0.2}],"
    " signals: [{metric: slow_rate, over: 1s, max_delta: 0.1}]}",
)
POLICY = "kind: approval_policy\nname: prod\nrequires: {risk: 1}\n"
APP = "kind: app\nname: helpdesk\nkeys: []\n"


def files_for(serve: dict[str, str], plan: str, *, governed: bool) -> dict[str, str]:
    """The files of two routes that serve so."""
    routes = [
        route(name, serve[name], releases=" ".join(VERSIONS), more="breaker: {open: 2s}\n" + f"rollout: {plan}")
        for name in ROUTES
    ]
    return files(*routes, APP, *([POLICY] if governed else []))


Holds = Callable[[Recorded], bool]
"""Whether what was answered as done is in the store."""


class People:
    """Acts on whichever replica is drawn, and keeps what each answer promised."""

    def __init__(self, world: Any, random: Random, *, governed: bool) -> None:
        self._world, self._random, self.governed = world, random, governed
        self.plan = random.choice(PLANS)
        self.serve = dict.fromkeys(ROUTES, "1.0.0")
        self._kinds: list[tuple[int, Callable[[Any], Awaitable[tuple[str, Holds | None]]]]] = [
            (3, self._start),
            (3, self._promote),
            (2, self._pause),
            (3, self._resume),
            (3, self._rollback),
            (1, self._undo),
            (3, self._retry),
            (8 if governed else 0, self._request),
            (12 if governed else 0, self._sign),
            (1 if governed else 0, self._withdraw),
            (1 if governed else 0, self._except),
            (2, self._issue),
            (2, self._revoke_key),
            (0.3, self._revoke),
            (0.5, self._deprecate),
        ]

    def first_files(self, *, governed: bool) -> dict[str, str]:
        """The files that lie on every machine."""
        return files_for(self.serve, self.plan, governed=governed)

    async def run(self, until: float) -> None:
        """Do something now and then, until a time of the loop."""
        random, world = self._random, self._world
        self._change_files()
        weights, kinds = zip(*self._kinds, strict=True)
        while world.loop.now < until:
            await asyncio.sleep(random.expovariate(3.0))
            if random.random() < 0.12:
                self._change_files()
                continue
            act = random.choices(kinds, weights)[0]
            replica = world.replicas.get(random.choice(world.names))
            if replica is not None and replica.is_serving:
                world.loop.create_task(self._do(replica, act), context=replica.owner.context.copy())

    async def _do(self, replica: Any, act: Callable[[Any], Awaitable[tuple[str, Holds | None]]]) -> None:
        name = act.__name__.strip("_")
        try:
            what, holds = await act(replica)
        except PinionError as fault:
            self._world.tell(replica.name, f"people: {name} refused: {fault.message[:100]}")
            return
        self._world.tell(replica.name, f"people: {what}")
        if holds is not None:
            self._world.answered(f"{what} at {replica.name}", holds)

    def _change_files(self) -> None:
        """A file is changed: some machines have it at once, some later."""
        random, world = self._random, self._world
        name = random.choice(ROUTES)
        self.serve[name] = random.choice(VERSIONS)
        new = files_for(self.serve, self.plan, governed=self.governed)
        world.tell("world", f"files: {name} serves {self.serve[name]}")
        for machine in world.names:
            late = random.choice((0.0, 0.0, random.uniform(0.0, 8.0)))
            world.loop.call_later(late, world.lay_files, machine, new, world.next_files())

    # What they do. Each gives its words, and what the store must hold once it is answered as done.

    def _word(self) -> Word:
        return Word("ada", "because")

    async def _start(self, replica: Any) -> tuple[str, Holds | None]:
        name = self._random.choice(ROUTES)
        return self._moved("start", await replica.rollouts.start(name, self._word()))

    async def _promote(self, replica: Any) -> tuple[str, Holds | None]:
        name, full = self._random.choice(ROUTES), self._random.random() < 0.2
        return self._moved("promote", await replica.rollouts.promote(name, self._word(), full=full))

    async def _pause(self, replica: Any) -> tuple[str, Holds | None]:
        return self._moved("pause", await replica.rollouts.pause(self._random.choice(ROUTES), self._word()))

    async def _resume(self, replica: Any) -> tuple[str, Holds | None]:
        return self._moved("resume", await replica.rollouts.resume(self._random.choice(ROUTES), self._word()))

    async def _retry(self, replica: Any) -> tuple[str, Holds | None]:
        return self._moved("retry", await replica.rollouts.retry(self._random.choice(ROUTES), self._word()))

    def _moved(self, verb: str, rollout: Any) -> tuple[str, Holds | None]:
        self._world.started.add(rollout.id)
        done = rollout.id in self._world.told_in_store(rollout.route)
        return f"{verb} of {rollout.id} ({rollout.state.value}, step {rollout.step})", lambda _recorded: done

    async def _rollback(self, replica: Any) -> tuple[str, Holds | None]:
        rollout = await replica.rollouts.rollback(self._random.choice(ROUTES), self._word())
        return self._taken_out("rollback", replica, rollout)

    async def _undo(self, replica: Any) -> tuple[str, Holds | None]:
        rollout = await replica.rollouts.undo(self._random.choice(ROUTES), self._word())
        return self._taken_out("undo", replica, rollout)

    def _taken_out(self, verb: str, replica: Any, rollout: Any) -> tuple[str, Holds | None]:
        """Whoever is told that it is not recorded yet is promised nothing of a crash."""
        if len(replica.recording):
            return f"{verb} of {rollout.id}, not recorded yet", None

        def holds(recorded: Recorded) -> bool:
            record = recorded.routes.get(rollout.route)
            latest = None if record is None else record.rollout
            return latest is not None and (latest.id != rollout.id or not latest.is_open)

        return f"{verb} of {rollout.id}", holds

    async def _request(self, replica: Any) -> tuple[str, Holds | None]:
        name = self._random.choice(ROUTES)
        version = self.serve[name] if self._random.random() < 0.8 else self._random.choice(VERSIONS)
        made = await replica.approvals.request(name, version, ADA, reason="better", rollback_plan="")
        return f"request {made.id} for {name}/{version}", None

    async def _sign(self, replica: Any) -> tuple[str, Holds | None]:
        opened = replica.approvals.open
        if not opened:
            return "nothing to sign", None
        wanted = self._random.choice(opened)
        said = {"role": None, "digest": None, "comment": ""}
        made = await replica.approvals.sign(wanted.name, wanted.version, EVE, **said)
        if made.state.value != "approved":
            return f"signed {made.id}, {made.state.value}", None
        approval = made.id

        def holds(recorded: Recorded) -> bool:
            return any(each.request == approval for each in recorded.governance.approvals)

        return f"approved {made.name}/{made.version} by {made.id}", holds

    async def _withdraw(self, replica: Any) -> tuple[str, Holds | None]:
        opened = replica.approvals.open
        if not opened:
            return "nothing to withdraw", None
        wanted = self._random.choice(opened)
        await replica.approvals.withdraw(wanted.name, wanted.version, ADA, "no more")
        return f"withdrawn {wanted.id}", lambda recorded: all(
            each.id != wanted.id for each in recorded.governance.requests
        )

    async def _except(self, replica: Any) -> tuple[str, Holds | None]:
        name, version = self._random.choice(ROUTES), self._random.choice(VERSIONS)
        until = replica.clock.wall() + self._random.choice((5.0, 60.0))
        made = await replica.approvals.grant(name, version, OPERATOR, until=until, reason="a trial")
        return f"exception {made.id} for {name}/{version}", None

    async def _issue(self, replica: Any) -> tuple[str, Holds | None]:
        key, _ = await replica.keys.issue("app", "helpdesk", "ada", None)
        return f"issued key {key.id}", lambda recorded: any(each.id == key.id for each in recorded.keys)

    async def _revoke_key(self, replica: Any) -> tuple[str, Holds | None]:
        known = sorted(replica.live.state.keys)
        if not known:
            return "no key to revoke", None
        chosen = self._random.choice(known)
        if replica.live.state.keys[chosen].revoked_at is not None:
            return f"key {chosen} is revoked already, by somebody who was promised that", None
        replica.keys.revoke("app", chosen, "ada")
        await replica.live.caught_up_if_possible()
        if len(replica.recording):
            return f"revoked key {chosen}, not recorded yet", None

        def holds(recorded: Recorded) -> bool:
            return any(each.id == chosen and each.revoked_at is not None for each in recorded.keys)

        return f"revoked key {chosen}", holds

    async def _revoke(self, replica: Any) -> tuple[str, Holds | None]:
        key = "release", self._random.choice(ROUTES), self._random.choice(VERSIONS[1:])
        await replica.registries.revoke(key, "it leaks")
        if len(replica.recording):
            return f"revoked {key}, not recorded yet", None

        def holds(recorded: Recorded) -> bool:
            return any(each.key == key and each.review is Review.revoked for each in recorded.standings)

        return f"revoked {key}", holds

    async def _deprecate(self, replica: Any) -> tuple[str, Holds | None]:
        key = "release", self._random.choice(ROUTES), self._random.choice(VERSIONS[1:])
        at = replica.clock.wall() + self._random.choice((5.0, 3600.0))
        standing = await replica.registries.deprecate(key, "old", retire_at=at, successor=None)

        def holds(recorded: Recorded) -> bool:
            return any(each.key == key and each.revision >= standing.revision for each in recorded.standings)

        return f"deprecated {key}", holds
