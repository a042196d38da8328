"""One gateway process: what it refuses to start with, and its parts joined."""

import re
from pathlib import Path

import pytest

from gateway.adapters.sql_store import SqlStore
from gateway.core.errors import PolicyFault, SetupFault, StoreFault
from gateway.settings import Settings, check_settings
from gateway.wiring import Gateway
from tests.adapters.webhook_receiver import SECRET
from tests.control.serving_world import files, route
from tests.gateway_process import running_gateway, wait_until, write_policies

pytestmark = pytest.mark.anyio

TOKEN = "operator-token-0123456789"
CERT = Path("cert.pem")

REFUSED = {
    "a development server beyond loopback": (
        {"dev": True, "host": "0.0.0.0"},
        "--dev serves on loopback alone; leave --host and --admin-host at 127.0.0.1",
    ),
    "a development server whose operations are beyond loopback": (
        {"dev": True, "admin_host": "10.0.0.1", "admin_token": TOKEN},
        "--dev serves on loopback alone; leave --host and --admin-host at 127.0.0.1",
    ),
    "a token that can be guessed": (
        {"admin_token": "short"},
        "PINION_ADMIN_TOKEN is shorter than 16 characters; make a longer one",
    ),
    "a certificate without its key": ({"tls_cert": CERT}, "--tls-cert and --tls-key belong together; give both"),
    "an anchor without a key": (
        {"audit_anchor": ("file:a",)},
        "--audit-anchor sends signed checkpoints and needs --audit-key; `pinion audit key` makes one",
    ),
    "notifications without a secret": (
        {"notify": ("https://example.com/hook",)},
        "--notify: a webhook needs a secret; set PINION_NOTIFY_SECRET",
    ),
    "notifications to an address inside": (
        {"notify": ("https://169.254.169.254/hook",), "notify_secret": SECRET},
        "--notify: 169.254.169.254 is not an address of the public internet; webhooks go there alone",
    ),
    "a key without its certificate": ({"tls_key": CERT}, "--tls-cert and --tls-key belong together; give both"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_settings_that_would_expose_something_are_refused(case):
    """Before anything is opened; the message says which setting, and what to do."""
    given, message = REFUSED[case]
    with pytest.raises(SetupFault, match=f"^{re.escape(message)}$"):
        Gateway(Settings(**given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"dev": True},
        {"dev": True, "host": "localhost", "admin_host": "::1"},
        {"host": "0.0.0.0"},
        {"admin_host": "0.0.0.0"},
        {"admin_host": "0.0.0.0", "admin_token": TOKEN},
        {"tls_cert": CERT, "tls_key": CERT},
    ],
)
async def test_other_settings_are_accepted(given):
    """Beyond loopback too, where what protects is given."""
    check_settings(Settings(**given))


async def test_a_token_is_not_shown():
    """Settings may be printed; neither is the path of a webhook, which may be a secret."""
    given = Settings(admin_token=TOKEN, notify=("https://example.com/T0P",), notify_secret=SECRET)
    assert not any(secret in repr(given) for secret in (TOKEN, SECRET, "T0P"))


def settings(tmp_path, written=None, **changes):
    """Settings over a folder of policies, with free ports."""
    write_policies(tmp_path / "policies", files(route()) if written is None else written)
    given = {"policies": tmp_path / "policies", "port": 0, "admin_port": 0, "store": f"sqlite:///{tmp_path}/pinion.db"}
    return Settings(**{**given, **changes})


async def never(line: str) -> None:
    """A gateway that cannot start announces nothing."""
    raise AssertionError(line)


async def test_every_problem_of_the_policies_is_told_with_its_place(tmp_path):
    """The file's name is the one that a person sees."""
    bad = {"a.yaml": "kind: nonsense\n", "b.yaml": "kind: route\n"}
    with pytest.raises(PolicyFault) as raised:
        await Gateway(settings(tmp_path, bad)).run(never)

    named = {problem.file for problem in raised.value.problems}
    assert {f"{tmp_path}/policies/a.yaml", f"{tmp_path}/policies/b.yaml"} == named


async def test_a_folder_that_is_not_there_is_told_so(tmp_path):
    """It is a problem like others."""
    with pytest.raises(PolicyFault, match="cannot be read"):
        await Gateway(settings(tmp_path, policies=tmp_path / "none")).run(never)


async def test_a_store_has_one_gateway(tmp_path):
    """A second one on the same file does not start, whatever ports it has."""
    given = settings(tmp_path)
    store = await SqlStore.open(given.store)
    with pytest.raises(SetupFault, match="is in use by another gateway"):
        await Gateway(given).run(never)
    await store.close()


async def test_anyone_may_call_on_loopback_alone(tmp_path):
    """Without applications, an address that others reach is refused."""
    with pytest.raises(PolicyFault, match="no application is declared"):
        await Gateway(settings(tmp_path, host="0.0.0.0")).run(never)


async def test_an_unknown_engine_is_refused(tmp_path):
    """Its name is told."""
    with pytest.raises(SetupFault, match="mysql is not supported"):
        await Gateway(settings(tmp_path, store="mysql://db/pinion")).run(never)


async def test_a_store_that_fails_at_the_first_record_is_a_fault_of_the_setup(tmp_path, monkeypatch):
    """Not even the first deployment can be recorded."""

    async def fail(*_):
        raise StoreFault("the disk is full")

    monkeypatch.setattr(SqlStore, "record_routes", fail)
    with pytest.raises(SetupFault, match="the disk is full"):
        await Gateway(settings(tmp_path)).run(never)


def test_rollouts_are_judged_beside_the_requests(tmp_path):
    """Each second: what nothing came in holds; that and what a person has completed outlive a restart."""
    gated = "rollout: {steps: [{percent: 50, min_requests: 5}, {percent: 100}]}"
    with running_gateway(tmp_path, files(route(), route("other"))) as gateway:
        gateway.write(all=files(route(serve="1.1.0"), route("other", "1.1.0", more=gated))["all.yaml"])
        wait_until(lambda: gateway.route("desk")["rollout"])
        assert "completed" == gateway.act("promote", "desk", full=True)["state"]
        rollout = wait_until(lambda: (gateway.route("other")["rollout"] or {}).get("holds") and gateway.route("other"))
        assert (["no_data"], 500_000) == (rollout["rollout"]["holds"], rollout["rollout"]["weight_ppm"])
        assert "no_data" in [wait["code"] for wait in gateway.ask("GET", "rollouts/other")["judged"]["waits"]]
        assert ["1.0.0"] == [former["release"] for former in gateway.route("desk")["former"]]
        assert not gateway.status()["store_away"]

    with running_gateway(tmp_path, {}) as gateway:
        assert ("completed", "held") == tuple(gateway.route(name)["rollout"]["state"] for name in ("desk", "other"))
        assert "rolled_back" == gateway.act("undo", "desk")["state"]
        assert "1.0.0" == gateway.route("desk")["stable"]
