"""Notifications of whole processes to real receivers: what is asked and signed, kill -9, two gateways, a silent one."""

import os
import signal
import socket
from contextlib import contextmanager

import pytest

from tests.adapters.certificates import issue
from tests.adapters.webhook_receiver import OTHER_SECRET, SECRET, Receiver
from tests.api.office import operator, token_of
from tests.gateway_process import started, wait_until, write_policies
from tests.postgres_server import PostgresServer
from tests.system.chatting import SIMULATED, desk

NEAR = ("-m", "tests.system.near_gateway")
POLICY = "kind: approval_policy\nname: prod\nrequires: {risk: 1}\n"
STAFF = operator("ada", "roles: [author]") + operator("eve", "signs_for: [risk]") + operator("vic", "roles: [viewer]")
FREE = {"p.yaml": SIMULATED, "desk.yaml": desk(), "staff.yaml": STAFF.removeprefix("---\n")}
GOVERNED = {**FREE, "policy.yaml": POLICY}
RELEASE = "releases/desk/1.1.0"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that gateways are told to trust."""
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def receiver(certificate):
    """A receiver on loopback."""
    made = Receiver(certificate)
    yield made
    made.stop()


@contextmanager
def gateway(folder, simulator, certificate, *urls, files=FREE, store=None):
    """A gateway that notifies these URLs; its policies are in the folder, and its store unless one is given."""
    folder.mkdir(exist_ok=True)
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    write_policies(policies, files, simulator)
    named = [part for url in urls for part in ("--notify", url)]
    copy = ("--store-copy", str(folder / "copy.json"))
    env = {"PINION_NOTIFY_SECRET": f"{OTHER_SECRET} {SECRET}", "SSL_CERT_FILE": str(certificate.authority)}
    found = started(policies, store or f"sqlite:///{folder / 'pinion.db'}", *named, *copy, env=env, program=NEAR)
    found.simulator, found.token = simulator, token_of("vic")
    try:
        yield found
    finally:
        found.stop()


def govern(found):
    """Have a policy govern the route that serves already."""
    revision = found.status()["revision"]
    write_policies(found.policies, {"policy.yaml": POLICY}, found.simulator)
    wait_until(lambda: found.status()["revision"] != revision)


def act(found, who, verb, **said):
    """An act of somebody on the release."""
    found.token = token_of(who)
    try:
        return found.ask("POST", f"{RELEASE}/{verb}", json=said)
    finally:
        found.token = token_of("vic")


def requested(found):
    """The requests that a gateway knows of."""
    return found.ask("GET", "approvals?all=1")["requests"]


def shown(found):
    """The first target, as the gateway tells it."""
    return found.status()["notifications"][0]


def types(receiver):
    """What came, by its types; what a kill has doubled, under one id, once."""
    return [told["type"] for told in dict(receiver.messages()).values()]


def test_what_is_asked_and_signed_is_told(tmp_path, simulator, certificate, receiver):
    """Once each, in order, verifiable with either secret; no secret and no path is in log, status or metrics."""
    with gateway(tmp_path, simulator, certificate, receiver.url) as found:
        govern(found)
        made = act(found, "ada", "request", reason="better answers")
        act(found, "eve", "sign", comment="read it")
        wait_until(lambda: len(receiver.got) >= 3)
        assert 3 == len(receiver.got)
        assert ["approval.requested", "approval.signed", "approval.approved"] == types(receiver)
        first = receiver.messages(OTHER_SECRET)[0][1]["data"]
        assert ("desk/1.1.0", made["id"], made["digest"], "1 of risk", "ada", "better answers") == tuple(
            first[key] for key in ("release", "request", "digest", "missing", "by", "reason")
        )
        assert "pinion release review desk/1.1.0" == first["next"]
        delivered = 'pinion_notifications_total{result="delivered",target="localhost"} 3.0'
        wait_until(lambda: delivered in found.metrics())
        assert 'pinion_notifications_waiting{target="localhost"} 0.0' in found.metrics()
        assert {"target": "localhost", "waiting": 0, "stopped": False, "fault": None} == shown(found)
        told = found.metrics() + str(found.status())
        assert 0 == found.stop()
        said = told + "".join(found.log + found.said)
        assert not any(secret in said for secret in (SECRET, OTHER_SECRET, SECRET[6:], "/hook"))


def test_what_was_acknowledged_is_told_after_kill_9(tmp_path, simulator, certificate, receiver):
    """Its receiver was down, then the gateway was killed: once both are there again it comes, once, under its id."""
    port = receiver.server.server_port
    receiver.stop()
    with gateway(tmp_path, simulator, certificate, receiver.url) as found:
        govern(found)
        act(found, "ada", "request", reason="better")
        failed = wait_until(lambda: found.events("notification_failed"))
        wait_until(lambda: shown(found)["waiting"] == 1)
        assert shown(found)["fault"].startswith("https://localhost: ")
        os.kill(found.process.pid, signal.SIGKILL)
        found.ended()
    again = Receiver(certificate, port)
    try:
        with gateway(tmp_path, simulator, certificate, receiver.url, files=GOVERNED) as found:
            wait_until(lambda: again.got)
            act(found, "eve", "sign")
            wait_until(lambda: len(again.got) >= 3)
            assert 0 == found.stop()
        assert ["approval.requested", "approval.signed", "approval.approved"] == types(again)
        assert failed[0]["id"] == again.messages()[0][0]
        assert 1 == len({each["id"] for each in failed})
    finally:
        again.stop()


def test_what_happened_just_before_a_kill_is_told(tmp_path, simulator, certificate, receiver):
    """Between the change and its delivery there was no time; the next life has it."""
    with gateway(tmp_path, simulator, certificate, receiver.url) as found:
        govern(found)
        act(found, "ada", "request")
        os.kill(found.process.pid, signal.SIGKILL)
        found.ended()
    with gateway(tmp_path, simulator, certificate, receiver.url, files=GOVERNED):
        wait_until(lambda: receiver.got)
    assert ["approval.requested"] == types(receiver)


def test_a_receiver_that_never_answers_holds_nobody_up(tmp_path, simulator, certificate, receiver):
    """Neither a change, nor another receiver, nor the end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/hook"
        with gateway(tmp_path, simulator, certificate, url, receiver.url) as found:
            govern(found)
            act(found, "ada", "request")
            act(found, "ada", "withdraw", reason="not yet")
            wait_until(lambda: len(receiver.got) >= 2)
            assert ["approval.requested", "approval.withdrawn"] == types(receiver)
            assert 0 == found.stop()


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL for these tests."""
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


def test_of_two_gateways_one_tells_it(tmp_path, simulator, certificate, receiver, server):
    """Each is told of once; when the one that sends is killed, the other goes on."""
    store = server.new_database()
    told = {"store": store, "files": FREE}
    with (
        gateway(tmp_path / "one", simulator, certificate, receiver.url, **told) as one,
        gateway(tmp_path / "other", simulator, certificate, receiver.url, **told) as other,
    ):
        govern(one)
        govern(other)
        act(one, "ada", "request")
        wait_until(lambda: requested(other))
        act(other, "ada", "withdraw", reason="not yet")
        wait_until(lambda: len(receiver.got) >= 2)
        os.kill(one.process.pid, signal.SIGKILL)
        one.ended()
        act(other, "ada", "request")
        wait_until(lambda: len(types(receiver)) >= 3, 180)
        assert 0 == other.stop()
    assert ["approval.requested", "approval.withdrawn", "approval.requested"] == types(receiver)
