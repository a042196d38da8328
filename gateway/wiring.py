"""Where ports are joined to adapters, beside `incoming`, `outgoing` and `membership`: one process, to its end."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Any

from gateway import __version__
from gateway.adapters import ed25519_keys
from gateway.adapters.foreign_logs import journalled
from gateway.adapters.interpreter import settle_interpreter
from gateway.adapters.json_journal import JsonJournal
from gateway.adapters.jwt_verifier import JwtVerifier
from gateway.adapters.listener import Listener, bind
from gateway.adapters.policy_folder import FolderWatch, located, read_folder
from gateway.adapters.price_library import PriceLibrary
from gateway.adapters.process_ending import Ending
from gateway.adapters.process_limits import descriptors
from gateway.adapters.process_signals import heeded
from gateway.adapters.prometheus_meters import PrometheusMeters
from gateway.adapters.random_characters import random_characters
from gateway.adapters.recorded_copy import NoCopy, RecordedCopyFile
from gateway.adapters.request_ids import RequestIds
from gateway.adapters.secret_sources import SecretSources
from gateway.adapters.sql_engine import scheme_of
from gateway.adapters.sql_ledger import SqlLedger, ledger_url
from gateway.adapters.sql_store import SqlStore
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.upstreams import Upstreams
from gateway.adapters.worker_place import WorkerPlace
from gateway.api.applications import Applications
from gateway.api.operations import Desk, Operations
from gateway.control.access_uses import AccessUses
from gateway.control.app_limits import AppLimits
from gateway.control.approvals import Approvals
from gateway.control.audit_notes import AuditNotes
from gateway.control.audit_reading import AuditReading
from gateway.control.background import every, told
from gateway.control.breakers import Breakers
from gateway.control.compliance import Compliance
from gateway.control.denials import Denials
from gateway.control.deployments import Deployments
from gateway.control.error_budgets import ErrorBudgets
from gateway.control.experiments import Experiments
from gateway.control.feedback import Assessments
from gateway.control.fleet_life import unheard
from gateway.control.judging import Judging
from gateway.control.keys import Keys
from gateway.control.live import Live, World
from gateway.control.recording import Recording
from gateway.control.registries import Registries
from gateway.control.rollouts import Rollouts
from gateway.control.served_models import ServedModels
from gateway.control.serving import Reload, Serving
from gateway.control.terms import Terms
from gateway.core.address import is_loopback, is_public
from gateway.core.admission import ExceptionKind
from gateway.core.errors import PolicyFault, Problem, SetupFault, StoreFault
from gateway.core.loop_lag import LoopLag
from gateway.core.ports import RecordedCopy
from gateway.core.snapshot import Snapshot
from gateway.incoming import Incoming
from gateway.membership import Membership
from gateway.outgoing import Outgoing
from gateway.proxy.admission import Limits
from gateway.proxy.afterwards import Afterwards
from gateway.proxy.exchanges import Exchanges
from gateway.proxy.follow_ups import CAPACITY, FollowUps
from gateway.proxy.mirror import Mirror
from gateway.proxy.surroundings import Surroundings
from gateway.settings import Settings, check_settings

JUDGE_SECONDS = 1.0
"""How often what rollouts have shown is judged."""

FOLLOW_SECONDS = 1.0
"""How often others are heard of in the store and the fleet, denials are written, the trail is signed."""

USE_SECONDS = 60.0
"""How often the use of access is written down."""

TICK_SECONDS = 0.1
"""How often deadlines are looked at; all of them are seconds."""

LAST_WORD_SECONDS = 5.0
"""How long what was done may take to be recorded at the end, and the ends of answers to reach their clients."""

HURRIED_SECONDS = 0.5
"""The same, once told a second time to stop."""


class Gateway:
    """One gateway process. `run` serves until its `ending` begins, then drains."""

    def __init__(
        self, settings: Settings, may_call: Callable[[str], bool] = is_public, place: WorkerPlace | None = None
    ) -> None:
        """Check the settings; nothing is opened yet. `may_call` says at which IP addresses webhooks may be.

        A worker has a `place`, whose sockets it serves on.

        Raises:
            SetupFault: they cannot be served under.
        """
        check_settings(settings)
        self._settings = settings
        self._clock = SystemClock()
        self._outgoing = Outgoing(settings, self._clock, may_call)
        self._new_id = RequestIds()
        self._loop = asyncio.get_running_loop()
        self.ending = Ending()
        self._place = place
        self._ready = False
        self._reloading = asyncio.Lock()
        self._look = asyncio.Event()
        self._credential_files: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, announce: Callable[[str], None]) -> None:
        """Serve until told to stop; `announce` gets one line when both listeners are ready.

        Raises:
            SetupFault: an address is taken, or the store cannot be opened.
            PolicyFault: the policy files are not acceptable.
        """
        settings = self._settings
        async with contextlib.AsyncExitStack() as lasting, contextlib.AsyncExitStack() as stack:
            if self._place is not None:
                sockets = [self._place.applications, self._place.operations]
            else:
                sockets = [bind(settings.host, settings.port), bind(settings.admin_host, settings.admin_port)]
            for taken in sockets:
                stack.callback(taken.close)
            await self._open(stack)
            end = self.ending.stop if self._place is None else self.ending.drain
            lasting.enter_context(heeded({SIGTERM: end, SIGINT: end, SIGHUP: self.reload_soon}))
            await self._serve(sockets, announce)

    async def reload(self) -> Reload:
        """Read the policy files again. Reloads follow one another, so that what was read last serves."""
        async with self._reloading:
            try:
                files = await asyncio.to_thread(read_folder, self._settings.policies)
            except PolicyFault as fault:
                return self.serving.rejected(self._located(fault.problems))
            reload = await self.serving.reload(files)
            self._watch_credentials()
            return reload

    # Parts

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        self.journal = JsonJournal()
        stack.callback(self.journal.close)
        self._incoming = Incoming(settings, descriptors(), self.journal)
        self._every = partial(every, self.journal)
        stack.enter_context(journalled(self.journal, asyncio.CancelledError))
        self._fleet = await Membership.open(settings.fleet, self.journal, self._clock, stack)
        store = await self._open_store()
        stack.push_async_callback(store.close)
        self.meters = PrometheusMeters(self._breaker_open, self._exceptions, notifications=self._outgoing.waiting)
        ledger = await SqlLedger.open(
            ledger_url(settings.store),
            meters_dropped=self._count_dropped,
            journal=self.journal,
            clock=self._clock,
            retention_seconds=settings.retention,
        )
        stack.push_async_callback(ledger.close)
        self._join_control(store)
        await self._join_outgoing(store, stack)
        self._background(self._recording.run(), stack)
        self._watch(stack)
        if self._fleet is not None:
            self._join_fleet(self._fleet, store, stack)
        await self._first_policies()
        self._join_proxy(ledger, await self._remember(ledger, stack), stack)
        self._assessments = Assessments(ledger, self._clock, self.judging.hear_feedback)
        self._registries = Registries(self.live, ledger)
        audit = AuditReading(store, store.trail, ed25519_keys.verify, self._outgoing.verifier)
        self._desk = Desk(
            live=self.live,
            serving=self.serving,
            rollouts=self.rollouts,
            judging=self.judging,
            experiments=Experiments(lambda: self.live.state, ledger, self._clock),
            registries=self._registries,
            approvals=self._approvals,
            breakers=self.breakers,
            served_models=self._served_models,
            store=store,
            audit=audit,
            compliance=Compliance(self.live, store, audit.checkpoint, self._settings.retention),
            note=self._notes.note,
            ledger=ledger,
            clock=self._clock,
            ready=self._why_not_ready,
            reload=self.reload,
            exposition=self.meters.exposition,
            extra_status=self._extra_status,
            keys=self.keys,
            app_limits=self._app_limits,
            access_uses=self.access_uses,
            verifier=JwtVerifier(self.journal, self._clock),
        )
        stack.push_async_callback(self._write_last_records)
        self._run_beside(stack)

    def _run_beside(self, stack: contextlib.AsyncExitStack) -> None:
        """Begin what runs beside the requests for as long as the process lives."""
        self._watch_credentials()
        self._watched.start()
        self._background(self._every(TICK_SECONDS, self._tick), stack)
        self._background(self._every(JUDGE_SECONDS, self.judging.judge), stack)
        self._background(self._every(FOLLOW_SECONDS, self._follow, self._look), stack)
        self._background(self._deployments.run(), stack)
        self._background(self._every(USE_SECONDS, self.access_uses.keep), stack)
        self._background(self._every(FOLLOW_SECONDS, self._notes.write), stack)

    async def _open_store(self) -> SqlStore:
        """Open the store; a server that is away is waited for, where there is a copy to serve by meanwhile."""
        try:
            return await SqlStore.open(self._settings.store)
        except StoreFault as fault:
            self.journal.event("store_away", level="error", message=fault.message)
            return SqlStore.awaited(self._settings.store)

    def _join_fleet(self, fleet: Membership, store: SqlStore, stack: contextlib.AsyncExitStack) -> None:
        """Tell and hear what changes at once, share outcomes and evidence, and take turns at probing."""
        for task in fleet.join(self.live, self.breakers, self.judging, store, self._look.set):
            self._background(task, stack)
        self.meters.watch_fleet(fleet.life.reading)
        for seconds, act in fleet.acts():
            self._background(self._every(seconds, act), stack)

    def _copy(self, store: SqlStore) -> RecordedCopy:
        """What is kept of the store for a start without it; a store in a file is as near as a copy would be."""
        if scheme_of(self._settings.store) == "sqlite":
            return NoCopy()
        return RecordedCopyFile(self._settings.store_copy, self.journal, store.name)

    def _join_control(self, store: SqlStore) -> None:
        settings = self._settings
        self._notes = AuditNotes(store, self.journal, self._clock)
        world = World(
            store=store,
            copy=self._copy(store),
            meters=self.meters,
            journal=self.journal,
            clock=self._clock,
            price_book=PriceLibrary(),
            secrets=SecretSources(os.environ),
            new_id=lambda: secrets.token_hex(8),
            located=self._located,
            note=self._notes.note,
            say=unheard if self._fleet is None else self._fleet.life.say,
        )
        self._recording = Recording(self.journal)
        local = is_loopback(settings.admin_host) or settings.admin_token is not None
        terms = Terms(
            dev=settings.dev,
            open=is_loopback(settings.host),
            local=local,
            environment=settings.environment,
            anchored=bool(settings.audit_anchor),
        )
        self.live = Live(world, self._recording, terms, on_swap=[self.meters.declare])
        self._denials = Denials(self.live, self._notes)
        self.serving = Serving(self.live)
        self._approvals = Approvals(self.live, self.serving.considered)
        self.rollouts = Rollouts(self.live)
        self.keys = Keys(self.live, random_characters)
        self.access_uses = AccessUses(self.live)
        self.breakers = Breakers(lambda: self.live.current, self._tripped, self.journal)
        self.live.on_fresh_attempt(self.breakers.forget)
        self._served_models = ServedModels(self.meters, self.journal, self.rollouts.trip)
        self._budgets = ErrorBudgets(lambda: self.live.current)
        self.judging = Judging(self.live, self.rollouts, self.breakers, self._budgets)
        self.live.tell(self.judging.follow)
        self._deployments = Deployments(self.live)
        self.live.tell(self._deployments.follow)
        self._app_limits = AppLimits(
            self.live,
            fleet=None if self._fleet is None else self._fleet.bus,
            workers=1 if self._place is None else len(self._place.all_operations),
        )
        self.live.tell(self._app_limits.follow)
        self.meters.limit_uses = self._app_limits.uses
        self.meters.watch_store(lambda: self.serving.store_is_away, self._recording, self._outgoing.unanchored)

    async def _join_outgoing(self, store: SqlStore, stack: contextlib.AsyncExitStack) -> None:
        """Have the audit trail signed and people told. What sends checkpoints outlives the last one."""
        await self._outgoing.open(store, self.meters, self.journal)
        for sending in self._outgoing.tasks():
            self._background(sending, stack)
        stack.push_async_callback(self._outgoing.finish)
        for act in self._outgoing.acts():
            self._background(self._every(FOLLOW_SECONDS, act), stack)

    async def _remember(self, ledger: SqlLedger, stack: contextlib.AsyncExitStack) -> FollowUps:
        """Learn what was requested before: no limit has a hole at the start, the error budgets may be filled later."""
        await self._app_limits.learn(ledger)
        self._background(self._every(FOLLOW_SECONDS, partial(self._app_limits.keep, ledger)), stack)
        self._background(self._budgets.remember(ledger, self._clock), stack)
        return await self._known_responses(ledger)

    def _tripped(self, route: str, version: str, rule: str, evidence: dict[str, Any]) -> None:
        """A breaker has tripped: the judging, which asks the breakers itself, knows what else there is to tell."""
        self.judging.trip(route, version, rule, evidence)

    async def _known_responses(self, ledger: SqlLedger) -> FollowUps:
        """Learn from the ledger who made which response; while it is away, conversations follow their units alone."""
        try:
            return FollowUps(await ledger.responses(CAPACITY))
        except StoreFault as fault:
            self.journal.event("follow_ups_lost", level="warning", message=fault.message)
            return FollowUps()

    def _join_proxy(self, ledger: SqlLedger, follow_ups: FollowUps, stack: contextlib.AsyncExitStack) -> None:
        upstream, shadow_upstream = Upstreams(), Upstreams()
        stack.push_async_callback(upstream.aclose)
        stack.push_async_callback(shadow_upstream.aclose)
        self.mirror = Mirror(shadow_upstream, self.meters, ledger, self.judging, self.journal, self._clock)
        around = Surroundings(
            snapshots=self.live,
            breakers=self.breakers,
            served_models=self._served_models,
            mirrors=self.mirror,
            judging=self.judging,
            denials=self._denials,
            app_limits=self._app_limits,
            upstream=upstream,
            meters=self.meters,
            ledger=ledger,
            journal=self.journal,
            clock=self._clock,
            new_id=self._new_id,
            draw=secrets.SystemRandom().random,
            follow_ups=follow_ups,
            limits=Limits(max_body=self._settings.max_body, max_requests=self._incoming.requests),
            afterwards=Afterwards(self._loop.call_soon),
        )
        self.exchanges = Exchanges(around)
        self._lag = LoopLag(TICK_SECONDS)
        self.meters.watch_load(self.exchanges, (upstream, shadow_upstream), self._lag)

        def retire(snapshot: Snapshot) -> None:
            in_use = {r.model.provider for route in snapshot.routes.values() for r in route.releases.values()}
            upstream.retire(in_use)
            shadow_upstream.retire(in_use)

        self.live.tell(retire)

    async def _first_policies(self) -> None:
        try:
            files = await asyncio.to_thread(read_folder, self._settings.policies)
            await self.judging.restore()
            await self.serving.open(files)
        except PolicyFault as fault:
            raise PolicyFault(self._located(fault.problems)) from fault
        except StoreFault as fault:
            raise SetupFault(fault.message) from fault

    def _watch(self, stack: contextlib.AsyncExitStack) -> None:
        """Reload when the policy files or the credential files change from what the first reading will find."""

        def changed() -> None:
            self._loop.call_soon_threadsafe(self.reload_soon)

        self._watched = FolderWatch(self._settings.policies, changed)
        stack.callback(self._watched.stop)

    def reload_soon(self) -> None:
        """Reload in the background: on a changed file and on SIGHUP."""
        task = asyncio.ensure_future(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _watch_credentials(self) -> None:
        files = self.serving.policies.credential_files
        if files != self._credential_files:  # naming the same ones again would lose a change that has not settled
            self._credential_files = files
            self._watched.watch_also(map(Path, files))

    def _background(self, coroutine: Any, stack: contextlib.AsyncExitStack) -> None:
        task = asyncio.ensure_future(told(self.journal, coroutine))
        self._tasks.add(task)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        stack.push_async_callback(end)

    async def _write_last_records(self) -> None:
        await self._recording.settled(LAST_WORD_SECONDS)
        await self._deployments.settled(LAST_WORD_SECONDS)
        with contextlib.suppress(StoreFault):
            await self.access_uses.keep()
        await self._notes.finish()

    async def _tick(self) -> None:
        """Look at deadlines, those of keys too, and put what was heard to the evidence."""
        now = self._clock.monotonic()
        self._lag.tick(now)
        self.live.end_keys()
        self.exchanges.tick(now)
        self.mirror.tick(now)
        self.judging.gather()

    async def _follow(self) -> None:
        """Look at what others have recorded, and at what was announced to end by now."""
        self._registries.end_due()
        if await self.serving.follow():
            await self.reload()
        await self._approvals.follow()
        if self._fleet is not None:
            await self._fleet.life.settle(store_is_away=self.serving.store_is_away)

    # Life

    async def _serve(self, sockets: list[socket.socket], announce: Callable[[str], None]) -> None:
        applications = Applications(
            lambda: self.live.current, self._new_id, self._assessments, self._denials
        ).application()
        operations = Operations(self._desk, self._settings.admin_token).application()
        front, back = self._incoming.listeners(sockets, applications, operations, self.exchanges, self.meters.refused)
        await front.start()
        await back.start()
        settle_interpreter()
        self._ready = True
        announce(self._welcome(front, back))
        await self.ending.begun()
        if self.ending.is_replaced:  # by a process that has the same sockets
            front.part()
            back.part()
        await self._drain(front)
        await back.end(HURRIED_SECONDS)

    async def _drain(self, front: Listener) -> None:
        """Readiness goes first, then the listener; what is open may end within the grace; the rest gets a clear end."""
        self._ready = False
        front.take_leave()
        self.journal.event("draining", open=len(self.exchanges))
        await self.ending.allowed(self._settings.drain_delay)
        front.close()
        await self.ending.allowed(self._settings.drain_grace, lambda: not len(self.exchanges))
        left = len(self.exchanges)
        self.mirror.drain()
        self.exchanges.drain()
        await self.ending.allowed(LAST_WORD_SECONDS, lambda: not len(self.mirror))
        await front.end(HURRIED_SECONDS if self.ending.is_hurried else LAST_WORD_SECONDS)
        self.journal.event("drained", ended=left)

    # What is told

    def _welcome(self, front: Listener, back: Listener) -> str:
        routes = len(self.live.current.routes)
        mark = " (dev)" if self._settings.dev else ""
        return f"pinion {__version__} ready{mark}: {routes} routes on {front.url}, operations on {back.url}"

    def _count_dropped(self, count: int) -> None:
        """Count lost records on the loop, since the ledger tells of them from its own thread."""
        self._loop.call_soon_threadsafe(self.meters.dropped, count)

    def _exceptions(self) -> Mapping[ExceptionKind, int]:
        return self._approvals.counted()

    def _breaker_open(self, route: str, release: str) -> bool:
        return self.breakers.is_open(route, release)

    def _why_not_ready(self) -> str | None:
        if self.ending.has_begun:
            return "draining"
        return None if self._ready else "starting"

    def _extra_status(self) -> Mapping[str, Any]:
        return {
            "version": __version__,
            "policies": str(self._settings.policies),
            "ready": self._why_not_ready() is None,
            "open_requests": len(self.exchanges),
            "open_shadows": len(self.mirror),
            "unrecorded_acts": len(self._recording),
            "store_away": self.serving.store_is_away,
            "notifications": self._outgoing.status(),
            "fleet": None if self._fleet is None else self._fleet.life.reading().describe(),
            "worker": None if self._place is None else self._place.status(),
        }

    def _located(self, problems: Sequence[Problem]) -> tuple[Problem, ...]:
        return located(str(self._settings.policies), problems)
