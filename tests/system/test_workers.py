"""Several gateway processes behind one port, on a PostgreSQL of their own, before a simulated provider."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from gateway.simulator.server import running
from tests.gateway_process import TLS, GatewayProcess, started, wait_until, write_policies
from tests.postgres_server import PostgresServer
from tests.system.chatting import SIMULATED, STEADY_MODEL, chat, desk, open_stream, said
from tests.tracing import traced

pytestmark = pytest.mark.untraced

FILES = {"p.yaml": SIMULATED, "desk.yaml": desk()}
COUNT = 2


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL for all of them."""
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@contextmanager
def working(folder: Path, server: PostgresServer, *args: str, **more: Any) -> Iterator[GatewayProcess]:
    """Two workers, and the simulator behind them."""
    with running() as provider:
        write_policies(folder / "policies", FILES, provider)
        where = ["--store-copy", str(folder / "copy.json"), "--workers", str(COUNT), *args]
        found = started(folder / "policies", server.new_database(), *where, **more)
        found.simulator = provider
        try:
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="module")
def workers(tmp_path_factory, server):
    """Workers for tests after which there are as many again."""
    with working(tmp_path_factory.mktemp("workers"), server, "--drain-delay", "2s", env=traced()) as found:
        yield found


def operations(gateway: GatewayProcess) -> list[str]:
    """Where each worker's operations API is."""
    return gateway.status()["worker"]["operations"]


def pids(gateway: GatewayProcess) -> list[int]:
    """The latest process of each worker."""
    latest = {event["worker"]: event["pid"] for event in gateway.events("worker_started")}
    return [latest[index] for index in sorted(latest)]


def counted(url: str) -> float:
    """How many requests a worker has counted."""
    lines = httpx2.get(f"{url}/metrics", timeout=60, verify=TLS).raise_for_status().text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("pinion_requests_total{"))


def is_ready(url: str) -> bool:
    """Whether the worker at this address says that it is."""
    try:
        return httpx2.get(f"{url}/readyz", timeout=60, verify=TLS).status_code == 200
    except httpx2.HTTPError:
        return False


def is_there(pid: int) -> bool:
    """Whether there is a process of this number, a zombie not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Load:
    """Clients that ask again and again, some on one connection and some each time on a new one."""

    def __init__(self, gateway: GatewayProcess, clients: int = 4) -> None:
        self.answered = 0
        self.faults: list[Exception] = []
        self.statuses: set[int] = set()
        self._url = f"{gateway.url}/v1/chat/completions"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def more(self, count: int = 50) -> None:
        """Wait until so many more have been answered."""
        until = self.answered + count
        wait_until(lambda: self.answered >= until)

    def _ask(self, keeps: bool) -> None:
        with httpx2.Client(timeout=60) as client:
            while not self._over.is_set():
                headers = {} if keeps else {"connection": "close"}
                try:
                    status = client.post(self._url, json=said("desk"), headers=headers).status_code
                except httpx2.HTTPError as fault:
                    self.faults.append(fault)
                else:
                    with self._lock:
                        self.statuses.add(status)
                        self.answered += 1


def test_each_request_is_counted_by_one_of_them(workers):
    """They share one port, each has its own metrics, and together those are all requests."""
    urls = operations(workers)
    assert (COUNT, COUNT) == (len(set(urls)), len(set(pids(workers))))
    assert workers.admin_url == urls[0]
    assert [f"pinion 0.1.0 ready: 1 routes on {workers.url}, operations on {urls[0]}, 2 workers\n"] == workers.said
    with Load(workers) as load:
        wait_until(lambda: all(counted(url) for url in urls))
    assert (set(), {200}) == (set(load.faults), load.statuses)
    assert load.answered == sum(counted(url) for url in urls)


def test_they_share_limits_without_a_fleet(workers):
    """Each gives one share of as many as there are; the supervisor told it how many that is."""
    told = [httpx2.get(f"{url}/admin/v1/apps/limits", timeout=60, verify=TLS).json() for url in operations(workers)]
    assert [(COUNT, False)] * COUNT == [(each["replicas"], each["shared"]) for each in told]


def test_all_reload_on_a_signal(workers):
    """Each says so, though the signal is the supervisor's."""
    before = len(workers.events("reload_accepted"))
    workers.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers.events("reload_accepted")) >= before + COUNT)


def test_one_that_is_killed_comes_back_and_nobody_is_refused(workers):
    """What it had under way is lost; new connections are taken by the others, and then by it."""
    urls, (first, killed) = operations(workers), pids(workers)
    restarted = len(workers.events("worker_restarted"))
    with Load(workers) as load:
        load.more()
        os.kill(killed, signal.SIGKILL)
        load.more()
        wait_until(lambda: len(workers.events("worker_restarted")) > restarted)
        wait_until(lambda: counted(urls[1]))
    assert not [fault for fault in load.faults if isinstance(fault, httpx2.ConnectError | httpx2.TimeoutException)]
    assert len(load.faults) <= 4
    assert {200} == load.statuses
    assert first == pids(workers)[0] != killed
    assert "SIGKILL" in [event.get("signal") for event in workers.events("worker_ended")]
    wait_until(lambda: all(is_ready(url) for url in urls))


def test_workers_are_replaced_without_one_request_lost(workers):
    """Each by a new process at the same address, whichever way clients connect."""
    urls, before = operations(workers), pids(workers)
    with Load(workers) as load:
        load.more()
        workers.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: workers.events("workers_replaced"), 180)
        load.more()
    assert ([], {200}) == (load.faults, load.statuses)
    assert not set(before) & set(pids(workers))
    assert not any(map(is_there, before))
    assert all(is_ready(url) for url in urls)


def test_all_drain_with_a_stream_under_way(tmp_path, server):
    """It ends whole; whoever comes then is refused, no process is left, and the exit code is 0."""
    with working(tmp_path, server) as gateway:
        before = pids(gateway)
        gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
        with open_stream(gateway) as stream:
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: COUNT == len(gateway.events("draining")))
            wait_until(lambda: _refuses(gateway))
            gateway.simulator.behave_model(STEADY_MODEL, hang=None)
            assert stream.result(60).endswith("data: [DONE]\n\n")
        assert 0 == gateway.ended()
        assert not any(map(is_there, before))
        assert COUNT == len(gateway.events("drained"))


def test_none_outlives_a_supervisor_that_was_killed(tmp_path, server):
    """They hurry; what is under way gets its dialect's error, and the addresses are free."""
    with working(tmp_path, server) as gateway:
        before = pids(gateway)
        gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
        with open_stream(gateway) as stream:
            gateway.process.kill()
            assert "the gateway is shutting down; send the request again" in stream.result(60)
        wait_until(lambda: not any(map(is_there, before)))
        assert _refuses(gateway)


def test_one_that_is_told_to_drain_is_started_again(workers):
    """A person may take one worker out; the supervisor puts another in."""
    restarted, taken = len(workers.events("worker_restarted")), pids(workers)[1]
    os.kill(taken, signal.SIGTERM)
    os.kill(taken, signal.SIGTERM)
    wait_until(lambda: len(workers.events("worker_restarted")) > restarted)
    assert taken != pids(workers)[1]
    assert 200 == chat(workers).status_code


def _refuses(gateway: GatewayProcess) -> bool:
    """Whether nobody listens any more. Nothing is asked: the provider would not answer."""
    address = httpx2.URL(gateway.url)
    try:
        socket.create_connection((address.host, address.port), 5).close()
    except ConnectionRefusedError:
        return True
    return False
