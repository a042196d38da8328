"""`pinion serve`, as a process and as it starts or cannot."""

import signal
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import httpx2
import pytest

from gateway.cli.serve import serve
from gateway.settings import Settings
from tests.gateway_process import (
    CREDENTIALS,
    SAMPLE,
    SIMULATOR,
    inherited,
    running_gateway,
    wait_until,
    write_policies,
)
from tests.tracing import traced

GIVEN = {
    "policies": ("/p", Path("/p")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("1", 1),
    "admin-host": ("::1", "::1"),
    "admin-port": ("2", 2),
    "workers": ("4", 4),
    "store": ("sqlite:///x.db", "sqlite:///x.db"),
    "fleet": ("redis://r", "redis://r"),
    "tls-cert": ("c.pem", Path("c.pem")),
    "tls-key": ("k.pem", Path("k.pem")),
    "drain-delay": ("500ms", 0.5),
    "drain-grace": ("1m", 60.0),
    "max-body": ("1MiB", 1_048_576),
    "max-requests": ("7", 7),
    "retention": ("2d", 172_800.0),
    "audit-key": ("k", Path("k")),
    "audit-anchor": ("file:a", ("file:a",)),
    "audit-every": ("9", 9),
    "notify": ("https://a.test/x", ("https://a.test/x",)),
}
"""Each option that takes a value, what is given, and what is read."""


INTERRUPTED_AT_THE_FIRST_LINE = """
import io, sys
from gateway.cli.serve import serve

class Interrupting(io.StringIO):
    def write(self, text):
        raise KeyboardInterrupt

sys.stdout = Interrupting()
serve()
"""


def read(*args):
    """What the command line says, by option."""
    return serve.make_context("serve", list(args)).params


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch):
    """No option comes from the environment of the tests."""
    for name in (*GIVEN, "dev", "admin-token"):
        monkeypatch.delenv(f"PINION_{name.upper().replace('-', '_')}", raising=False)


def test_left_out_options_are_the_settings_own():
    """Every setting but the secrets has its option, and the defaults are the same."""
    options = read()
    assert 1 == options.pop("workers")
    assert Settings() == Settings(**options)
    assert {one.name for one in fields(Settings)} - {"admin_token", "audit_webhook_secret", "notify_secret"} == set(
        options
    )


@pytest.mark.parametrize("name", GIVEN)
def test_an_option_is_read_from_the_line_and_from_the_environment(name, monkeypatch):
    """`--admin-port 2` and PINION_ADMIN_PORT=2 are the same; the line wins."""
    text, expected = GIVEN[name]
    field = name.replace("-", "_")
    assert expected == read(f"--{name}", text)[field]
    monkeypatch.setenv(f"PINION_{field.upper()}", text)
    assert expected == read()[field]
    monkeypatch.setenv("PINION_PORT", "9")
    assert 1 == read("--port", "1")["port"]


def test_dev_is_a_flag(monkeypatch):
    """`--dev` and PINION_DEV=1 are the same."""
    assert read("--dev")["dev"] is True
    monkeypatch.setenv("PINION_DEV", "1")
    assert read()["dev"] is True


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--port", "65536", "0<=x<=65535"),
        ("--workers", "0", "x>=1"),
        ("--drain-grace", "5", "one of ms, s, m, h, d, as in 30s"),
        ("--max-body", "32MB", "one of B, KiB, MiB, GiB"),
        ("--admin-token", "secret", "No such option"),
    ],
)
def test_a_wrong_option_is_misuse(alone, option, value, said):
    """A value that cannot be read is refused with the form to write; the token is no option at all."""
    result = alone("serve", option, value)
    assert 2 == result.exit_code
    assert said in result.stderr


def test_what_it_cannot_do_is_one_line(alone, tmp_path):
    """A fleet, a port in use, a store that cannot be or be shared: each is one line on standard error, exit code 2."""
    ports = ("--port", "0", "--admin-port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = {
            ("--fleet", "redis://r"): "--fleet joins gateways on one PostgreSQL store, and this one is a SQLite file",
            ("--fleet", "http://u:secret@r"): "--fleet is not the address of a Redis; use redis://",
            (
                "--workers",
                "2",
            ): "--workers 2: a SQLite file has one gateway; give the workers a database with --store post",
            ("--port", str(port)): f"cannot listen on 127.0.0.1:{port}: ",
            (*ports, "--store", f"sqlite:///{tmp_path}/no/such/pinion.db"): str(tmp_path),
            (*ports, "--tls-cert", "c.pem"): "--tls-cert and --tls-key belong together; give both",
        }
        for args, said in cases.items():
            result = alone("serve", *args)
            assert (2, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n")), result.stderr
            assert result.stderr.startswith("pinion: ")
            assert said in result.stderr


def test_every_problem_of_the_policies_is_a_line(alone, tmp_path):
    """Policies that cannot serve are told problem by problem, without a traceback, with exit code 2."""
    policies = {"a.yaml": "kind: route\nname: Wrong\n", "b.yaml": "kind: provider\nname: p\ndialect: klingon\n"}
    write_policies(tmp_path / "policies", policies)
    store = f"sqlite:///{tmp_path}/pinion.db"
    result = alone(
        "serve", "--port", "0", "--admin-port", "0", "--store", store, "--policies", str(tmp_path / "policies")
    )
    assert (2, "") == (result.exit_code, result.stdout)
    assert f"{tmp_path}/policies/a.yaml:2: " in result.stderr
    assert f"{tmp_path}/policies/b.yaml:3: " in result.stderr
    assert "Traceback" not in result.stderr


def test_it_says_where_it_is_serves_and_drains(tmp_path):
    """One line tells both addresses; requests are served there; SIGTERM ends it with exit code 0."""
    with running_gateway(tmp_path, env=traced()) as gateway:
        assert [f"pinion 0.1.0 ready: 2 routes on {gateway.url}, operations on {gateway.admin_url}\n"] == gateway.said
        assert 200 == httpx2.get(f"{gateway.url}/v1/models").status_code
        assert "ready\n" == httpx2.get(f"{gateway.admin_url}/readyz").text
        assert 0 == gateway.stop()
        assert "drained" in [event["event"] for event in gateway.events()]


def test_an_interrupt_while_it_serves_drains(tmp_path):
    """SIGINT ends it as SIGTERM does, and SIGHUP reloads."""
    with running_gateway(tmp_path, env=traced()) as gateway:
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: 2 == len(gateway.events("reload_accepted")))
        gateway.process.send_signal(signal.SIGINT)
        assert 0 == gateway.ended()


def test_an_interrupt_while_it_starts_is_quiet(tmp_path):
    """Interrupted before it serves, it ends with the exit code that shells give, and without a traceback."""
    policies = {name: text.replace(SIMULATOR, "http://127.0.0.1:1") for name, text in SAMPLE.items()}
    write_policies(tmp_path / "policies", policies)
    where = ["--policies", str(tmp_path / "policies"), "--store", f"sqlite:///{tmp_path}/pinion.db"]
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_THE_FIRST_LINE, "--port", "0", "--admin-port", "0", *where],
        check=False,
        env={**inherited(), **CREDENTIALS},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 130 == result.returncode
    assert "Traceback" not in result.stderr
    assert "reload_accepted" in result.stderr
