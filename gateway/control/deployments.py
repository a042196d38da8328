"""What served when: each swap of the snapshot shows which releases begin to serve a route, and which have ended."""

import asyncio
from dataclasses import replace

from gateway.control.live import Live
from gateway.control.recording import Recording
from gateway.core.deployment import Deployment, Place, changed
from gateway.core.errors import StoreFault
from gateway.core.route import Route
from gateway.core.route_record import GATEWAY, POLICY
from gateway.core.snapshot import Snapshot

FIRST = "first deployment of the route"
"""Why a release serves of which no rollout tells."""

RETRY_SECONDS = 1.0
"""How often a store that is away is asked again, at the start, for what served last."""


class Deployments:
    """Follows the snapshots, and has written down what begins to serve and what has ended.

    It has a queue of its own: nothing waits for what it writes, and a store that is away gets all of it later.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._recording = Recording(live.world.journal)
        self._lasting: dict[Place, Deployment] | None = None
        self._seen: dict[str, Route] = {}

    def __repr__(self) -> str:
        return f"<Deployments {len(self._lasting or ())} lasting>"

    async def run(self) -> None:
        """Learn what served last, and write until cancelled. A development server keeps no such record."""
        if self._live.terms.dev:
            return
        while self._lasting is None:
            try:
                found = await self._live.world.store.lasting_deployments(self._live.terms.environment)
            except StoreFault:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._lasting = {each.place: each for each in found}
        self.follow(self._live.current)
        await self._recording.run()

    async def settled(self, within: float) -> bool:
        """Wait until everything is written, `within` seconds at most; say whether it is."""
        return await self._recording.settled(within)

    def follow(self, snapshot: Snapshot) -> None:
        """Write down what a snapshot changes."""
        if self._lasting is None:
            return
        seen, self._seen = self._seen, dict(snapshot.routes)
        moved = [route for name, route in snapshot.routes.items() if route is not seen.get(name)]
        names = {route.name for route in moved}
        own = [each for each in self._lasting.values() if each.route in names or each.route not in snapshot.routes]
        live = self._live
        words = {route.name: self._word(route) for route in moved}
        change = changed(own, moved, words, environment=live.terms.environment, at=live.world.clock.wall())
        if not change:
            return
        change = replace(change, begun=tuple(replace(each, approval=self._approval(each)) for each in change.begun))
        for place in change.ended:
            del self._lasting[place]
        self._lasting |= {each.place: each for each in change.begun}

        async def write() -> None:
            live.noted(await live.world.store.record_deployments(change))

        self._recording.add("deployments", write)

    def _approval(self, deployment: Deployment) -> str | None:
        """Tell the approval, or the exception, that admits what begins to serve."""
        place = deployment.environment, deployment.route, deployment.release
        admission = self._live.state.governance.admission_of(place)
        return None if admission is None else admission.approval_id or admission.exception_id

    def _word(self, route: Route) -> tuple[str, str]:
        """Say why a route serves as it does, and on whose word: its latest rollout's, or its file's.

        Where its stable is out, and another release serves in its place, that is why.
        """
        record = self._live.state.records.get(route.name)
        if record is not None and record.stable != route.stable.version:
            return f"{record.stable} is {route.out.get(record.stable, 'not declared')}", GATEWAY
        rollout = None if record is None else record.rollout
        return (FIRST, POLICY) if rollout is None else (rollout.reason, rollout.actor)
