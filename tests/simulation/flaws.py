"""Bugs that are planted, to see that the simulation finds them: each is a subclass that breaks one law."""

from dataclasses import replace

from gateway.adapters import sql_epoch
from gateway.control.fleet_life import FleetLife
from gateway.control.heard_acts import HeardActs
from gateway.control.judging import Judging
from gateway.control.live import Live
from gateway.control.rollouts import Rollouts
from gateway.control.serve_lines import ServeLines
from gateway.control.serving import Serving
from gateway.core.errors import VerbRefused
from tests.simulation.database import SimulatedStore
from tests.simulation.replica import Parts
from tests.simulation.world import Flaw


class _Unfenced(SimulatedStore):
    async def record_routes(self, moves, *more):
        known = (await self.recorded()).routes
        revisions = {name: record.revision for name, record in known.items()}
        moved = []
        for move in moves:
            at = revisions.get(move.record.route, 0)
            moved.append(replace(move, after=at, record=replace(move.record, revision=at + 1)))
            revisions[move.record.route] = at + 1
        return await super().record_routes(moved, *more)


class _SameEpoch(SimulatedStore):
    async def _write(self, act, longer=0.0):
        def write(connection):
            act(connection)
            return sql_epoch.current(connection)

        self._seen.clear()
        return await self._run(self._database.transaction, write, longer)


class _ForgetsRevocations(SimulatedStore):
    async def record_keys(self, keys, act):
        return await super().record_keys([replace(key, revoked_at=None, revoked_by=None) for key in keys], act)


class _AnswersFirst(SimulatedStore):
    async def record_request(self, move, acts):
        if move.approval is not None:
            return await self.epoch() + 1
        return await super().record_request(move, acts)


class _IgnoresEpochs(Live):
    async def look_again(self):
        await self.world.store.epoch()
        return False


class _RecordsNoRollback(Live):
    def record_out_later(self, what, taken): ...


class _TrustsItsCopy(Live):
    def _servable(self, record):
        return record


class _ServesFirst(Rollouts):
    async def _advance(self, route, verb, word, act):
        live = self._live
        record = live.record_of(route)
        if record.rollout is None:
            raise VerbRefused("there is no rollout")
        live.state.records[route] = record.moved(act(record, record.rollout, live.world.clock.wall()))
        live.swap_route(route)
        live.state.records[route] = record
        return await super()._advance(route, verb, word, act)


class _JudgesWithoutALease(Judging):
    async def _is_judge(self):
        return True


class _CountsEveryLine(Serving):
    def _decide(self, route, before, *, leads):
        del leads
        self._lines = ServeLines(self._live.judge_lease, self._world.clock)
        return super()._decide(route, before, leads=True)


class _TakesFilesAnew(_CountsEveryLine):
    def _is_granted(self):
        return True


class _ForgetsWhatItHeard(HeardActs):
    def amended(self, recorded):
        return recorded


class _TrustsMessages(HeardActs):
    """Takes what a message says for the whole truth: the target that it names is stable, whatever the store says."""

    def _act(self, out):
        record = self._live.state.records.get(getattr(out, "route", ""))
        if record is not None and hasattr(out, "target"):
            rollout = record.rollout
            stable = rollout.candidate if rollout is not None and rollout.id != out.rollout else out.target
            self._live.state.records[out.route] = replace(record, stable=stable, revision=record.revision + 1)
            self._live.swap_route(out.route)
            return True
        return super()._act(out)


def _hearing(acts: type[HeardActs]) -> type[FleetLife]:
    class Life(FleetLife):
        def join(self, live, breakers, look, draw):
            super().join(live, breakers, look, draw)
            self._acts = acts(live, breakers, look, 5.0 * (1 + draw()))

    return Life


FLAWS = {
    "a store without fencing": Flaw(store=_Unfenced),
    "a store that raises no epoch": Flaw(store=_SameEpoch),
    "a store that forgets revocations": Flaw(store=_ForgetsRevocations),
    "a store that answers before it has written": Flaw(store=_AnswersFirst),
    "a replica that ignores epochs": Flaw(Parts(live=_IgnoresEpochs)),
    "a rollback that is not recorded": Flaw(Parts(live=_RecordsNoRollback)),
    "a start from the copy that exposes a candidate": Flaw(Parts(live=_TrustsItsCopy)),
    "a step that serves before it is recorded": Flaw(Parts(rollouts=_ServesFirst)),
    "a lease that is not looked at": Flaw(Parts(judging=_JudgesWithoutALease)),
    "files that are taken anew every second": Flaw(Parts(serving=_TakesFilesAnew)),
    "a start whose older files count": Flaw(Parts(serving=_CountsEveryLine)),
    "a replica that forgets what it heard": Flaw(Parts(fleet_life=_hearing(_ForgetsWhatItHeard))),
    "a message that is trusted without the store": Flaw(Parts(fleet_life=_hearing(_TrustsMessages))),
}
