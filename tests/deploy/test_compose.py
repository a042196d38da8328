"""The compose file: what each service may, and that what it says to Pinion is understood."""

import hashlib
import re

import pytest
import yaml

from gateway.core.duration import parse_duration
from tests.deploy.files import DEPLOY, ROOT, compose, options_of, served_with, services

SERVICES = sorted(services())
DEFAULT = re.compile(r"\$\{[A-Z_]+:-(only-for-trying-out)?\}")

each = pytest.mark.parametrize("name", SERVICES)


def test_everything_is_there():
    """Three replicas, what they share, what watches them, and a provider that needs no key."""
    assert ["balancer", "grafana", "pinion", "postgres", "prometheus", "redis", "simulator"] == SERVICES
    assert 3 == services()["pinion"]["deploy"]["replicas"]


@each
def test_nothing_is_root(name):
    """Each service has a user, by number, that is not root."""
    assert re.fullmatch(r"[1-9]\d*:\d+", services()[name]["user"])


@each
def test_the_root_file_system_is_read_only(name):
    """What is written goes to volumes."""
    assert services()[name]["read_only"] is True


@each
def test_no_capability_is_left(name):
    """And none can be had."""
    assert ["ALL"] == services()[name]["cap_drop"]
    assert "cap_add" not in services()[name]
    assert ["no-new-privileges:true"] == services()[name]["security_opt"]
    assert not services()[name].get("privileged")


@each
def test_every_service_says_how_it_is(name):
    """A health check that does not only ask whether the process lives."""
    assert services()[name]["healthcheck"]["test"]


@each
def test_ports_are_open_on_loopback_alone(name):
    """Nobody else on the network meets a service whose secrets are public."""
    assert all(port.startswith("127.0.0.1:") for port in services()[name].get("ports", ()))


@each
def test_secrets_come_from_the_environment(name):
    """What has no value of its own gets a default that says what it is for."""
    for variable, value in services()[name].get("environment", {}).items():
        if re.search(r"TOKEN|PASSWORD|_KEY\b", variable):
            assert DEFAULT.fullmatch(value), f"{variable}={value}"
        assert not re.search(r"://[^/@]*:[^/@]*@", value), variable


def test_every_variable_is_documented():
    """docs/deploy.md tells each that may be set."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    used = set(re.findall(r"\$\{(\w+):-", (DEPLOY / "compose.yaml").read_text()))
    assert used == {name for name in used if f"`{name}`" in page}


def test_the_operations_api_is_not_published():
    """Only the load balancer of the applications, Prometheus and Grafana have a port outside."""
    published = {name for name, service in services().items() if service.get("ports")}
    assert {"balancer", "prometheus", "grafana"} == published


def test_the_store_is_reached_by_replicas_alone():
    """And has no way out."""
    on_data = {name for name, service in services().items() if "data" in service["networks"]}
    assert {"pinion", "postgres", "redis"} == on_data
    assert compose()["networks"]["data"]["internal"] is True


def test_the_environment_is_understood(monkeypatch):
    """Each variable of Pinion's exists, and its value is taken."""
    environment = services()["pinion"]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    told = served_with(environment)
    assert "postgresql://pinion@postgres:5432/pinion" == told["store"]
    assert "redis://redis:6379/0" == told["fleet"]
    assert ("0.0.0.0", 8081) == (told["admin_host"], told["admin_port"])
    assert (5.0, 120.0) == (told["drain_delay"], told["drain_grace"])
    token = re.sub(r".*:-(.*)}", r"\1", environment["PINION_ADMIN_TOKEN"])
    assert len(token) >= 16  # or it would not start


def test_a_replica_has_the_time_to_drain():
    """Docker waits for longer than delay and grace, and what comes after them, take."""
    pinion = services()["pinion"]
    told = pinion["environment"]
    least = parse_duration(told["PINION_DRAIN_DELAY"]) + parse_duration(told["PINION_DRAIN_GRACE"])
    assert parse_duration(pinion["stop_grace_period"]) >= least + 20


def test_readiness_decides_when_the_load_balancer_starts():
    """It is asked of the operations API, of every replica."""
    check = "".join(services()["pinion"]["healthcheck"]["test"])
    assert '"127.0.0.1", 8081' in check
    assert '"/readyz"' in check
    assert {"pinion": {"condition": "service_healthy"}} == services()["balancer"]["depends_on"]


def test_the_simulators_command_exists():
    """Its verb and its options."""
    verb, *words = services()["simulator"]["command"]
    assert "simulator" == verb
    assert {word for word in words if word.startswith("-")} <= options_of(verb)


def test_what_is_mounted_is_there():
    """Files of this folder, read-only."""
    for service in services().values():
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                path, _, mode = volume.split(":")
                assert (DEPLOY / path).exists(), path
                assert "ro" == mode


def test_the_key_for_trying_out_is_the_documented_one():
    """Whoever reads the compose file can send a request."""
    declared = yaml.safe_load((DEPLOY / "policies" / "apps.yaml").read_text())["keys"]
    key = "pk-only-for-trying-out"
    assert [{"sha256": hashlib.sha256(key.encode()).hexdigest()}] == declared
    assert f"Bearer {key}" in (DEPLOY / "compose.yaml").read_text()
