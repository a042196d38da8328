"""The fleet bus on Redis: counters, heartbeats, leases of probes, and what gateways of one store tell each other.

Everything in it may be lost at any time: it hints and counts, and the database is what is true. Its keys begin with
`pinion:` and the name of the store's audit chain, so that two fleets on one Redis by mistake do not meet.
"""

import asyncio
import contextlib
import json
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.adapters.fleet_address import FleetAddress
from gateway.adapters.fleet_circuit import FleetCircuit
from gateway.core.errors import FleetFault, SetupFault, StoreFault
from gateway.core.fleet_message import LATE, LOOK
from gateway.core.fleet_reading import FleetReading
from gateway.core.ports import Clock, Journal

COMMAND_SECONDS = 0.1
"""How long a command may take, with waiting for a connection and making one."""

TRIAL_SECONDS = 1.0
"""How long it may take to see whether Redis is there: nobody waits for that."""

BEAT_SECONDS = 0.9
ALIVE_SECONDS = 5.0
"""How long after its last heartbeat a gateway is counted, and for how long fewer must be counted to be believed."""

KEPT_MESSAGES = 256
KEPT_SECONDS = 600
"""How many messages, for how long, wait for whoever did not listen when they were said."""

MOST_CHARACTERS = 65_536
"""How long a message may be; what is longer is not looked at."""

QUIET_SECONDS = 3.0
"""After how long without a word a listener asks whether Redis is still there."""

CONNECTIONS = 6
REMEMBERED = 4 * KEPT_MESSAGES

_ADD = (
    "local totals = {} "
    "for i, key in ipairs(KEYS) do "
    "totals[i] = redis.call('INCRBY', key, ARGV[i + 1]) redis.call('PEXPIRE', key, ARGV[1]) end "
    "return totals"
)
_TAKE = (
    "local held = redis.call('GET', KEYS[1]) "
    "if held and held ~= ARGV[1] then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1"
)
_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

_TROUBLE = (RedisError, OSError, TimeoutError, RuntimeError)
"""What a command meets when Redis is away; RuntimeError is what uvloop says of a connection that has been closed."""

Command = tuple[Any, ...]


class RedisFleet:
    """The ports `Fleet` and `FleetLeases`, over one Redis.

    No command is waited for longer than COMMAND_SECONDS, and none is sent while Redis is away; a task of its own sees
    when it is back. Until `join` knows the store's name, the fleet is away, too.
    """

    def __init__(self, address: FleetAddress, journal: Journal, clock: Clock) -> None:
        """Made by `open`."""
        self._clock = clock
        self._me = secrets.token_hex(8)
        self._circuit = FleetCircuit(address.name, journal, clock, secrets.SystemRandom().random)
        pool = BlockingConnectionPool.from_url(
            address.url,
            max_connections=CONNECTIONS,
            timeout=COMMAND_SECONDS,
            socket_timeout=None,  # everything here has a deadline, and the client's own loses cancellations on 3.11
            socket_connect_timeout=TRIAL_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=pool)
        self._root: str | None = None
        self._joined = asyncio.Event()
        self._there = asyncio.Event()
        self._there.set()
        self._trial: asyncio.Task[None] | None = None
        self._offset: float | None = None
        self._beat_at = -BEAT_SECONDS
        self._replicas = 1
        self._fewer_since: float | None = None
        self._said = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._results: Counter[str] = Counter(ok=0, failed=0, timeout=0, away=0)

    def __repr__(self) -> str:
        return f"RedisFleet({self._circuit.name!r})"

    @classmethod
    async def open(cls, url: str, journal: Journal, clock: Clock) -> Self:
        """Look for the Redis of a URL; one that is not there now is told in the journal, and looked for on.

        Raises:
            SetupFault: the URL is not one, or Redis does not let this gateway do what it must.
        """
        fleet = cls(FleetAddress.read(url), journal, clock)
        try:
            await fleet._try()
        except (AuthenticationError, NoPermissionError) as error:
            await fleet.close()
            raise SetupFault(
                f"{fleet._circuit.name} refuses this gateway: {error}; give its user the password in --fleet, and the "
                "rights that docs/fleet.md lists"
            ) from error
        except _TROUBLE as error:
            fleet._circuit.bad(_said_of(error), is_timeout=True)
            fleet._try_on()
        return fleet

    async def join(self, identity: Callable[[], Awaitable[str | None]]) -> None:
        """Take part, once the store tells its identity: None, or StoreFault, where it does not yet."""
        while self._root is None:
            with contextlib.suppress(StoreFault):
                name = await identity()
                if name is not None:
                    self._root = f"pinion:{name}"
                    self._joined.set()
                    return
            await asyncio.sleep(TRIAL_SECONDS)

    def reading(self) -> FleetReading:
        """Tell how the bus is, for metrics and people."""
        is_up = self._root is not None and not self._circuit.is_away
        replicas = self._replicas if is_up else 1
        return FleetReading(is_up, replicas, self._circuit.away_since, dict(self._results))

    # The ports

    async def add(self, amounts: Mapping[str, int], keep: float) -> Mapping[str, int]:
        """Add to shared counters, zero amounts too, and give what each has come to; `keep` is in seconds.

        Raises:
            FleetFault: Redis is away.
        """
        root, lasting = self._where(), int(keep * 1_000)
        if not amounts:
            return {}
        keys = [f"{root}:n:{name}" for name in amounts]
        (totals,) = await self._carry_out([("EVAL", _ADD, len(keys), *keys, lasting, *amounts.values())])
        return dict(zip(amounts, map(int, totals), strict=True))

    async def replicas(self) -> int:
        """Give how many gateways of the store have been heard of in the last seconds.

        Raises:
            FleetFault: Redis is away.
        """
        self._where()
        if self._is_beat_due():
            await self._carry_out([])
        return self._replicas

    async def say(self, message: Mapping[str, Any]) -> None:
        """Tell every other gateway something, and keep it a while for who does not listen now.

        Raises:
            FleetFault: Redis is away.
        """
        root = self._where()
        self._said += 1
        text = json.dumps({"by": self._me, "id": f"{self._me}:{self._said}", "said": message}, separators=(",", ":"))
        kept = f"{root}:said"
        await self._carry_out(
            [
                ("LPUSH", kept, text),
                ("LTRIM", kept, 0, KEPT_MESSAGES - 1),
                ("EXPIRE", kept, KEPT_SECONDS),
                ("PUBLISH", f"{root}:bus", text),
            ]
        )

    async def pass_on(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tell every other gateway that listens now several things, in one trip; give how many did, this one aside.

        Raises:
            FleetFault: Redis is away; some of it may have been heard.
        """
        root = self._where()
        texts = [json.dumps({"by": self._me, "id": None, "said": each}, separators=(",", ":")) for each in messages]
        answers = await self._carry_out([("PUBLISH", f"{root}:bus", text) for text in texts])
        return min(map(int, answers), default=1) - 1

    async def heard(self) -> AsyncIterator[Mapping[str, Any]]:
        """Give what others say; what was missed comes first, marked as late, and then that there may be more."""
        await self._joined.wait()
        while True:
            await self._there.wait()
            listening = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                with contextlib.suppress(*_TROUBLE):
                    for late in await self._listen(listening):
                        yield late
                    while True:
                        for message in await self._next(listening):
                            yield message
            finally:  # before the pause, in which it would be counted as listening
                with contextlib.suppress(*_TROUBLE):
                    await listening.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(self._circuit.short_pause())

    async def take(self, names: Sequence[str], seconds: float) -> frozenset[str]:
        """Take leases, or keep them, for so many seconds; give those that are ours. For none nothing is sent.

        Raises:
            FleetFault: Redis is away.
        """
        root, lasting = self._where(), int(seconds * 1_000)
        if not names:
            return frozenset()
        asked = [("EVAL", _TAKE, 1, f"{root}:lease:{name}", self._me, lasting) for name in names]
        answers = await self._carry_out(asked)
        return frozenset(name for name, answer in zip(names, answers, strict=True) if answer)

    async def give_back(self, names: Sequence[str]) -> None:
        """Give leases back that are ours.

        Raises:
            FleetFault: Redis is away.
        """
        root = self._where()
        await self._carry_out([("EVAL", _GIVE_BACK, 1, f"{root}:lease:{name}", self._me) for name in names])

    async def close(self) -> None:
        """Say goodbye, where Redis is there, and let go."""
        if self._trial is not None:
            self._trial.cancel()
            await asyncio.wait([self._trial])
        with contextlib.suppress(FleetFault):
            root, self._beat_at = self._where(), self._clock.monotonic()
            await self._carry_out([("ZREM", f"{root}:alive", self._me)])
        with contextlib.suppress(*_TROUBLE):
            async with asyncio.timeout(TRIAL_SECONDS):  # an end that is not answered must not hold the process
                await self._redis.aclose()
                await self._redis.connection_pool.disconnect()

    # Commands

    def _where(self) -> str:
        """Give what keys begin with, where a command may be sent."""
        try:
            self._circuit.check()
        except FleetFault:
            self._results["away"] += 1
            raise
        if self._root is None:
            raise FleetFault("the store has not told yet which fleet this is")
        return self._root

    async def _carry_out(self, commands: Sequence[Command]) -> list[Any]:
        """Carry commands out in one round trip, with a heartbeat when one is due; a cancelled caller ends none."""
        beat = self._beat() if self._is_beat_due() else []
        trip = asyncio.ensure_future(self._trip([*commands, *beat]))
        trip.add_done_callback(_heed)
        answers = await asyncio.shield(trip)
        if beat:
            self._hear_beat(answers[len(commands) :])
        return answers[: len(commands)]

    async def _trip(self, commands: Sequence[Command]) -> list[Any]:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                answers = await self._send(commands)
        except _TROUBLE as error:
            is_timeout = isinstance(error, TimeoutError | RedisTimeoutError)
            self._results["timeout" if is_timeout else "failed"] += 1
            is_late = self._clock.monotonic() - began > 2 * COMMAND_SECONDS  # it was us who were busy, not Redis
            self._circuit.bad(_said_of(error), is_timeout=is_timeout and not is_late)
            is_former_leader = isinstance(error, ReadOnlyError)
            if is_timeout or is_former_leader:  # the listener hears on, unless there is nothing left to be heard
                await self._let_go(even_those_in_use=is_former_leader)
            self._try_on()
            raise FleetFault(f"{self._circuit.name}: {_said_of(error)}") from error
        self._results["ok"] += 1
        self._circuit.good()
        return answers

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute()
        return answers

    async def _let_go(self, *, even_those_in_use: bool) -> None:
        """Close connections; one that does not close well is let go of, too."""
        with contextlib.suppress(*_TROUBLE):
            await self._redis.connection_pool.disconnect(inuse_connections=even_those_in_use)

    # Heartbeats, by Redis' own clock: those of the gateways may differ

    def _is_beat_due(self) -> bool:
        return self._clock.monotonic() - self._beat_at >= BEAT_SECONDS

    def _beat(self) -> list[Command]:
        if self._offset is None:
            return []
        key, now = f"{self._root}:alive", self._clock.monotonic() + self._offset
        self._beat_at = self._clock.monotonic()
        return [
            ("ZADD", key, now, self._me),
            ("ZREMRANGEBYSCORE", key, "-inf", now - ALIVE_SECONDS),
            ("ZREMRANGEBYSCORE", key, now + ALIVE_SECONDS, "+inf"),
            ("ZCARD", key),
            ("EXPIRE", key, KEPT_SECONDS),
            ("TIME",),
        ]

    def _hear_beat(self, answers: Sequence[Any]) -> None:
        self._count(int(answers[3]), self._clock.monotonic())
        self._take_time(answers[5])

    def _count(self, replicas: int, now: float) -> None:
        """Take how many Redis counts; fewer are believed in time, since one that lost its data counts anew."""
        if replicas >= self._replicas:
            self._fewer_since = None
        elif self._fewer_since is None:
            self._fewer_since = now
        if self._fewer_since is None or now - self._fewer_since >= ALIVE_SECONDS:
            self._replicas, self._fewer_since = replicas, None

    def _take_time(self, told: Sequence[Any]) -> None:
        seconds, microseconds = told
        self._offset = int(seconds) + int(microseconds) / 1e6 - self._clock.monotonic()

    # Whether it is there

    async def _try(self) -> None:
        """See whether Redis is there, and lets this gateway do everything that it will have to."""
        key = "pinion:trial"
        async with asyncio.timeout(TRIAL_SECONDS):
            commands: list[Command] = [
                ("EVAL", _TAKE, 1, key, self._me, 1),
                ("EVAL", _GIVE_BACK, 1, key, self._me),
                ("EVAL", _ADD, 1, f"{key}:n", 1, 0),
                ("ZADD", f"{key}:alive", 0, self._me),
                ("ZREMRANGEBYSCORE", f"{key}:alive", "-inf", 1),
                ("ZREM", f"{key}:alive", self._me),
                ("ZCARD", f"{key}:alive"),
                ("LPUSH", f"{key}:said", ""),
                ("LTRIM", f"{key}:said", 1, 0),
                ("LRANGE", f"{key}:said", 0, 0),
                ("EXPIRE", f"{key}:said", 1),
                ("PUBLISH", key, ""),
                ("TIME",),
            ]
            answers = await self._send(commands)
            listening = self._redis.pubsub()
            try:
                await listening.subscribe(key)
                await listening.get_message(timeout=TRIAL_SECONDS)
            finally:
                await listening.aclose()  # type: ignore[no-untyped-call]
        self._take_time(answers[-1])

    def _try_on(self) -> None:
        """While Redis is away, have somebody see when it is back."""
        if self._circuit.is_away and self._there.is_set():
            self._there.clear()
            self._trial = asyncio.ensure_future(self._wait_for_it())

    async def _wait_for_it(self) -> None:
        while True:
            await asyncio.sleep(self._circuit.pause())
            try:
                await self._try()
            except _TROUBLE:
                await self._let_go(even_those_in_use=True)
                continue
            self._circuit.back()
            self._there.set()
            return

    # Listening

    async def _listen(self, listening: PubSub) -> list[Mapping[str, Any]]:
        """Begin to listen; give what was said before and is not known here, the oldest first."""
        async with asyncio.timeout(TRIAL_SECONDS):
            await listening.subscribe(f"{self._root}:bus")
            await listening.get_message(timeout=TRIAL_SECONDS)
            kept = (await self._send([("LRANGE", f"{self._root}:said", 0, KEPT_MESSAGES - 1)]))[0]
        missed = [said for raw in reversed(kept) if (said := self._new(raw)) is not None]
        return [*({**said, LATE: True} for said in missed), LOOK]

    async def _next(self, listening: PubSub) -> list[Mapping[str, Any]]:
        """Wait for a message, a while; give it, unless it is none of anybody else's."""
        connection: Any = listening.connection
        if not connection.is_connected:  # the client would connect anew, and miss what was said meanwhile
            raise RedisConnectionError("the connection was closed between two messages")
        async with asyncio.timeout(QUIET_SECONDS + 2 * TRIAL_SECONDS):  # the client may connect anew by itself
            message = await listening.get_message(timeout=QUIET_SECONDS)
            if message is None:
                await listening.ping()
                message = await listening.get_message(timeout=TRIAL_SECONDS)
            if message is None:
                raise RedisTimeoutError
        said = self._new(message["data"]) if message["type"] == "message" else None
        return [] if said is None else [said]

    def _new(self, raw: bytes) -> Mapping[str, Any] | None:
        """Read a message; None for one of ours, for one that was heard, and for what is no message."""
        try:
            envelope: Any = json.loads(raw) if len(raw) <= MOST_CHARACTERS else None
            by, name, said = str(envelope["by"]), envelope["id"], envelope["said"]
        except (LookupError, TypeError, ValueError, RecursionError):
            return {}
        if by == self._me or (name is not None and self._is_known(str(name)[:100])):
            return None
        return said if isinstance(said, dict) else {}

    def _is_known(self, name: str) -> bool:
        """Say whether a message was heard before; what is only passed on has no name, since none of it is kept."""
        if name in self._seen:
            return True
        self._seen[name] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False


def _heed(trip: "asyncio.Task[list[Any]]") -> None:
    """Look at how a trip ended: of one whose caller was cancelled nobody else does."""
    if not trip.cancelled():
        trip.exception()


def _said_of(error: BaseException) -> str:
    """Say what a command met, for people."""
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return f"no answer within {COMMAND_SECONDS} s"
    return str(error)[:200] or type(error).__name__
