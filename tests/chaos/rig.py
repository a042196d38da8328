"""The rig of a chaos run: a PostgreSQL, a Redis, a provider and three gateways, with a fault proxy on every way.

Everything is a real process on loopback, started here and ended here. Each gateway reaches the store and Redis by a
proxy of its own, so that one of them can be cut off alone.
"""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from gateway.core.api_key import named_key
from tests.chaos.asking import Answer, asked
from tests.chaos.client import Plan
from tests.chaos.fault_proxy import FaultProxy, Proxies
from tests.chaos.fleet_policies import PLANS, STEADY, TRAFFIC_KEY, policy_files
from tests.chaos.provider import Provider
from tests.chaos.traffic import Traffic
from tests.gateway_process import GatewayProcess, started, wait_until, write_policies
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer

COUNT = 3
LATENCY = 0.02
"""Seconds that the provider takes."""
HALF, NEARLY_ALL, FIRST_FIFTH = 500_000, 990_000, 200_000
DRAIN = ("--drain-delay", "1s")
"""How long a replica that stops still listens; the balancer asks ten times as often."""

WEIGHTS = {"trip": NEARLY_ALL, "move": HALF, "step": FIRST_FIFTH}
"""The weight of each kind's candidate once its rollout has begun."""

REQUEST_LINE = '"event":"request"'

STRANGER = named_key("app", "Str4nger", "s" * 32)
"""A key of the issued form that nobody has issued."""


class Replica:
    """One gateway of the fleet, and its ways to the store and to Redis."""

    def __init__(self, index: int, folder: Path, redis_way: FaultProxy, store_way: FaultProxy) -> None:
        self.index = index
        self.folder = folder
        self.redis_way = redis_way
        self.store_way = store_way
        self.gateway: GatewayProcess | None = None
        self.url = self.admin_url = ""
        self._events: list[dict[str, Any]] = []
        self._parsed = 0

    def start(self, store: str, *args: str, **more: Any) -> None:
        """Start it, at the ports it had before, and wait until it is ready."""
        ports = [str(urlsplit(url).port or 0) for url in (self.url, self.admin_url)]
        fixed = ["--port", ports[0], "--admin-port", ports[1], "--fleet", f"redis://127.0.0.1:{self.redis_way.port}"]
        copy = "--store-copy", str(self.folder / "copy.json")
        self.gateway = started(self.folder / "policies", store, *copy, *fixed, *DRAIN, *args, **more)
        self.url, self.admin_url = self.gateway.url, self.gateway.admin_url
        self._events, self._parsed = [], 0

    def ask(self, method: str, path: str, within: float = 30.0, **body: Any) -> Answer:
        """What its operations API answers below `/admin/v1/`."""
        raw = None if method == "GET" else json.dumps(body)
        return asked(f"{self.admin_url}/admin/v1/{path}", method, raw, within)

    def act(self, verb: str, route: str, **wanted: Any) -> Answer:
        """Carry out a verb on a route's rollout."""
        return self.ask("POST", f"rollouts/{route}/{verb}", **wanted)

    def status(self) -> dict[str, Any]:
        """What `/admin/v1/status` answers."""
        return self.ask("GET", "status").json()

    def weights(self) -> dict[str, int]:
        """The weight of each route's candidate."""
        return {
            route["route"]: one["weight_ppm"]
            for route in self.status()["routes"]
            for one in route["releases"]
            if one["release"] == "1.1.0"
        }

    def rollout(self, route: str) -> dict[str, Any]:
        """The latest rollout of a route, with its acts, the newest first."""
        return self.ask("GET", f"rollouts/{route}").json()

    def acts(self, route: str) -> list[str]:
        """The verbs that a route has seen, the oldest first."""
        return [event["verb"] for event in reversed(self.rollout(route)["events"])]

    def is_ready(self) -> bool:
        """Whether a load balancer would send it requests."""
        try:
            return asked(f"{self.admin_url}/readyz", within=5).status == 200
        except OSError:
            return False

    def chat(self, route: str = STEADY, key: str = TRAFFIC_KEY, within: float = 30.0) -> Answer:
        """One whole chat request."""
        body = json.dumps({"model": route, "messages": [{"role": "user", "content": "hi"}]})
        return asked(f"{self.url}/v1/chat/completions", "POST", body, within, authorization=f"Bearer {key}")

    def lines(self, event: str, route: str | None = None) -> list[dict[str, Any]]:
        """The log's lines of one event, but `request`, of one route where it is named. Each line is read once."""
        new = self.gateway.log[self._parsed :]
        self._parsed += len(new)
        self._events += [json.loads(line) for line in new if line.startswith("{") and REQUEST_LINE not in line]
        return [line for line in self._events if line["event"] == event and route in (None, line.get("route"))]

    def log_bytes(self, since: int = 0) -> int:
        """How many bytes its log has from a line on."""
        return sum(len(line) for line in self.gateway.log[since:])


class Rig:
    """The servers and the fleet, for the length of a `with` block. `trips` is how many routes there are to trip."""

    def __init__(self, folder: Path, trips: int = 0, moves: int = 60, steps: int = 4, count: int = COUNT) -> None:
        self.folder = folder
        self.count = count
        self.trips = trips
        self.replicas: list[Replica] = []
        numbers = {"trip": trips, "move": moves, "step": steps}
        self._routes = {kind: deque(f"{kind}-{number:03}" for number in range(numbers[kind])) for kind in PLANS}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.proxies = stack.enter_context(Proxies())
            self.provider = stack.enter_context(Provider(latency=LATENCY, length=20, rate=40))
            self.postgres = PostgresServer()
            stack.callback(self.postgres.remove)
            self.postgres.start()
            self.redis = stack.enter_context(RedisServer())
            self.database = self.postgres.new_database().rpartition("/")[2]
            for index in range(self.count):
                self.replicas.append(self._replica(index))
                stack.callback(self._stop, index)
                self.start(index)
            self._stack = stack.pop_all()
        self.wait_healthy()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _replica(self, index: int) -> Replica:
        folder = self.folder / f"replica-{index}"
        folder.mkdir(parents=True)
        self.write_policies(folder / "policies")
        ways = [self.proxies.before(port) for port in (self.redis.port, self.postgres.port)]
        return Replica(index, folder, *ways)

    def write_policies(self, folder: Path) -> None:
        """Write the policy set as every replica has it."""
        routes = [route for kind in self._routes.values() for route in kind]
        if not folder.exists():
            write_policies(folder, policy_files(self.provider.url, routes))

    def _stop(self, index: int) -> None:
        gateway = self.replicas[index].gateway
        if gateway is not None:
            with suppress(ProcessLookupError):
                os.kill(gateway.process.pid, signal.SIGCONT)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.process.send_signal(signal.SIGTERM)
            gateway.stop()

    def start(self, index: int, *args: str, **more: Any) -> None:
        """Start a replica, or start it again at the same ports."""
        replica = self.replicas[index]
        replica.start(self.store_url(replica.store_way.port), *args, **more)

    def store_url(self, port: int) -> str:
        """The store's address, at a port."""
        return self.postgres.url(self.database).replace(f":{self.postgres.port}/", f":{port}/")

    def kill(self, index: int) -> None:
        """End a replica as a crash does."""
        process = self.replicas[index].gateway.process
        process.kill()
        process.wait(30)

    # What it is asked

    def execute(self, statement: str) -> list[tuple]:
        """Ask the database, past every proxy."""
        return self.postgres.execute(statement, self.database)

    def take(self, kind: str) -> str:
        """Give a route of a kind that nobody has used yet."""
        return self._routes[kind].popleft()

    def left(self, kind: str) -> int:
        """How many routes of a kind nobody has used yet."""
        return len(self._routes[kind])

    def begin(self, kind: str) -> str:
        """Begin a rollout on a route of its own, and wait until all replicas serve it; give the route."""
        route = self.take(kind)
        self.act(0, "start", route)
        wait_until(lambda: self.weights(route) == [WEIGHTS[kind]] * self.count)
        return route

    def act(self, index: int, verb: str, route: str, **wanted: Any) -> Answer:
        """Have a replica carry out a verb, which has to succeed."""
        answer = self.replicas[index].act(verb, route, **wanted)
        assert answer.status == 200, answer
        return answer

    def weights(self, route: str, replicas: Sequence[Replica] | None = None) -> list[int]:
        """The weight of a route's candidate at each replica."""
        return [each.weights()[route] for each in replicas or self.replicas]

    def seconds_until(self, condition: Any, within: float = 60.0) -> float:
        """How long it takes until a condition holds."""
        began = time.monotonic()
        wait_until(condition, within)
        return time.monotonic() - began

    def traffic(
        self,
        rate: float = 60,
        routes: Sequence[str] = (STEADY,),
        replicas: Sequence[int] | None = None,
        stream_every: int = 5,
        **more: Any,
    ) -> Traffic:
        """Requests to the replicas, every fifth of them for a stream of half a second, for a `with` block."""
        targets = tuple(self.replicas[index].url for index in (replicas or range(self.count)))
        return Traffic(Plan(targets, tuple(routes), rate, TRAFFIC_KEY, stream_every, **more))

    # Whether it is well

    def ailments(self) -> list[str]:
        """What is not as it should be, replica by replica; empty when the fleet is well."""
        found = []
        for replica in self.replicas:
            name = f"replica {replica.index}"
            try:
                told = replica.status()
            except OSError as error:
                found.append(f"{name} does not answer: {error}")
                continue
            fleet = told["fleet"]
            for is_ill, what in (
                (not told["ready"], "is not ready"),
                (told["store_away"], "has no store"),
                (told["unrecorded_acts"], "has acts that are not recorded"),
                (not fleet["up"], "has no Redis"),
                (fleet["replicas"] != self.count, f"counts {fleet['replicas']} replicas"),
            ):
                if is_ill:
                    found.append(f"{name} {what}")
        return found

    def wait_healthy(self, within: float = 90.0) -> float:
        """Wait until every replica is well and answers; give how many seconds that took."""
        began = time.monotonic()
        while ill := self.ailments():
            if time.monotonic() - began > within:
                raise TimeoutError(f"not well after {within:g} s: {'; '.join(ill)}")
            time.sleep(0.1)
        for replica in self.replicas:
            assert replica.chat().status == 200
        return time.monotonic() - began

    def broken_laws(self) -> list[str]:
        """What no fault may ever break, and is broken."""
        found = []
        verdict = self.replicas[0].ask("GET", "audit/verify").json()
        if verdict["result"] != "whole":
            found.append(f"the audit trail is not whole: {verdict}")
        weights = [replica.weights() for replica in self.replicas]
        if any(each != weights[0] for each in weights):
            found.append("the replicas split differently")
        for route in self.replicas[0].status()["routes"]:
            rollout = route["rollout"]
            if rollout and rollout["state"] == "rolled_back" and weights[0][route["route"]]:
                found.append(f"what was rolled back on {route['route']} serves")
        return found

    def heal(self) -> None:
        """Take every trouble away that a row may have left."""
        self.postgres.thaw()
        self.redis.thaw()
        for replica in self.replicas:
            replica.redis_way.target = self.redis.port
            replica.redis_way.heal()
            replica.store_way.heal()
            if replica.gateway is not None and replica.gateway.process.poll() is None:
                os.kill(replica.gateway.process.pid, signal.SIGCONT)
