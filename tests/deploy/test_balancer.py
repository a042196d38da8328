"""The load balancer: its settings, and, by hand, replicas that change behind a real one under load."""

import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import openai
import pytest

from gateway.core.duration import parse_duration
from gateway.simulator.server import Running, running
from tests.deploy.conftest import KEY, policies
from tests.deploy.files import DEPLOY, services
from tests.gateway_process import GatewayProcess, started, wait_until, write_policies
from tests.postgres_server import PostgresServer

CONFIGURATION = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
REPLICAS = re.compile(r"^ *server-template replica \d+ pinion:8080 (check) port 8081 .*$", re.MULTILINE)
LONGEST_ANSWER = 600.0
"""Seconds: `timeouts.total` of a provider, where nothing else is said."""


def test_it_waits_for_longer_than_an_answer_lasts():
    """In both directions: the gateway's own deadlines end a request, and tell its application so."""
    told = dict(re.findall(r"^ *timeout (\S+) (\S+)$", CONFIGURATION, re.MULTILINE))
    assert parse_duration(told["client"]) > LONGEST_ANSWER
    assert parse_duration(told["server"]) > LONGEST_ANSWER


def test_it_keeps_nothing_back():
    """No body is waited for, and no event is held for the next."""
    assert "http-buffer-request" not in CONFIGURATION
    assert "option http-no-delay" in CONFIGURATION


def test_it_has_the_files_that_its_connections_take():
    """Two for each, or it would not start."""
    (most,) = re.findall(r"^ *maxconn (\d+)$", CONFIGURATION, re.MULTILINE)
    assert services()["balancer"]["ulimits"]["nofile"] > 2 * int(most) + 100


def test_it_asks_for_readiness_within_the_drain_delay():
    """A replica that drains is out before its listener closes."""
    assert "option httpchk GET /readyz" in CONFIGURATION
    between, falls = re.search(r"inter (\S+) fall (\d+)", CONFIGURATION).groups()
    delay = parse_duration(services()["pinion"]["environment"]["PINION_DRAIN_DELAY"])
    assert parse_duration(between) * (int(falls) + 1) < delay
    assert REPLICAS.search(CONFIGURATION)


def test_an_answer_is_never_asked_for_twice():
    """Only what did not reach a replica is sent to another."""
    assert ["conn-failure"] == re.findall(r"^ *retry-on (.*)$", CONFIGURATION, re.MULTILINE)


class Fleet:
    """Replicas, and HAProxy before them: the shipped file with the replicas' places for Docker's names."""

    def __init__(self, replicas: Sequence[GatewayProcess], file: Path):
        """`file` is where the configuration is put."""
        self.replicas = replicas
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        servers = "".join(
            f"    server {number} {urlsplit(one.url).netloc} check port {urlsplit(one.admin_url).port}\n"
            for number, one in enumerate(replicas)
        )
        here = {"bind :8080": f"bind 127.0.0.1:{port}", "maxconn 20000": "maxconn 200"}
        text = REPLICAS.sub(servers, CONFIGURATION)
        for shipped, changed in here.items():
            assert shipped in text
            text = text.replace(shipped, changed)
        file.write_text(text)

    def is_up(self) -> bool:
        """Whether a request comes through."""
        try:
            answer = httpx2.get(f"{self.url}/v1/models", headers={"authorization": f"Bearer {KEY}"}, timeout=60)
        except httpx2.TransportError:
            return False
        return 200 == answer.status_code


@contextmanager
def fleet(folder: Path, count: int) -> Iterator[tuple[Fleet, Running]]:
    """Some replicas on one store behind HAProxy for the length of a `with` block, and their provider."""
    with ExitStack() as stack:
        simulator = stack.enter_context(running())
        server = PostgresServer()
        stack.callback(server.remove)
        server.start()
        store = server.new_database()
        replicas = []
        for number in range(count):
            place = folder / str(number)
            write_policies(place / "policies", policies(simulator.url))
            options = ("--store-copy", str(place / "copy.json"), "--drain-delay", "10m")
            replicas.append(started(place / "policies", store, *options))
            stack.callback(replicas[-1].process.wait, 120)
            stack.callback(_hurry, replicas[-1])
        found = Fleet(replicas, folder / "haproxy.cfg")
        balancer = stack.enter_context(subprocess.Popen(["haproxy", "-db", "-f", folder / "haproxy.cfg"]))
        stack.callback(balancer.terminate)
        wait_until(found.is_up)
        yield found, simulator


def _hurry(replica: GatewayProcess) -> None:
    """End a replica without its delay."""
    if replica.process.poll() is None:
        replica.process.terminate()
        wait_until(lambda: replica.events("draining"))
        replica.process.terminate()


def asked(client: openai.OpenAI, **more):
    """One request for a chat completion."""
    messages = [{"role": "user", "content": "hello"}]
    return client.chat.completions.create(model="support-assistant", messages=messages, **more)


@pytest.mark.tools
def test_a_stream_arrives_event_by_event(tmp_path):
    """The SDK has the first words while the provider still thinks about the rest."""
    with fleet(tmp_path, count=1) as (found, simulator):
        client = openai.OpenAI(base_url=f"{found.url}/v1", api_key=KEY, max_retries=0)
        simulator.behave(hang="middle")
        with client, asked(client, stream=True) as stream:
            words = iter(stream)
            begun = [next(words) for _ in range(3)]  # or it would wait for what does not come
            assert any(chunk.choices[0].delta.content for chunk in begun)
            simulator.behave(hang=None)
            rest = [chunk.choices[0].finish_reason for chunk in words if chunk.choices]
        assert "length" in rest or "stop" in rest


@pytest.mark.tools
def test_a_rolling_restart_refuses_and_cuts_nothing(tmp_path):
    """While a replica drains and ends, every request is answered, and a stream that it had open ends whole."""
    with fleet(tmp_path, count=2) as (found, simulator), ExitStack() as stack:
        simulator.behave(rate=20, length=200)  # a stream goes on for ten seconds; one word is there at once
        client = stack.enter_context(openai.OpenAI(base_url=f"{found.url}/v1", api_key=KEY, max_retries=0))
        streams = [stack.enter_context(asked(client, stream=True)) for _ in found.replicas]
        wait_until(lambda: all(one.status()["open_requests"] for one in found.replicas))
        callers = stack.enter_context(calling(found.url, count=4))
        first = found.replicas[0]
        first.process.terminate()
        words = [[chunk.choices[0] for chunk in one if chunk.choices] for one in streams]
        wait_until(lambda: is_left_alone(first, callers))  # while it still listens
        first.process.terminate()  # skips what is left of the delay
        assert 0 == first.ended(60)
        assert first.events("draining")[0]["open"] >= 1
        wait_until(callers.have_more)
    assert [] == callers.failures
    assert ["length" if len(said) < 200 else "stop" for said in words] == [said[-1].finish_reason for said in words]
    assert [0] == [event["ended"] for event in first.events("drained")]


class Callers:
    """What applications met that ask again and again."""

    def __init__(self):
        self.answered = 0
        self.failures = []

    def have_more(self, count: int = 20) -> bool:
        """Wait for so many more answers."""
        before = self.answered
        return wait_until(lambda: self.answered > before + count)

    def ask(self, url: str, over: threading.Event):
        """Ask until it is over, on connections that are kept, and without a second try."""
        with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
            while not over.is_set():
                try:
                    asked(client, max_tokens=1)
                except openai.OpenAIError as error:
                    self.failures.append(repr(error))
                else:
                    self.answered += 1


def is_left_alone(replica: GatewayProcess, callers: Callers) -> bool:
    """Whether a replica gets none of the next requests."""
    before = len(replica.events("request"))
    return callers.have_more() and before == len(replica.events("request"))


@contextmanager
def calling(url: str, count: int):
    """Some applications that ask for the length of a `with` block."""
    callers, over = Callers(), threading.Event()
    threads = [threading.Thread(target=callers.ask, args=(url, over)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
