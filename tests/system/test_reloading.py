"""Policies that change under a gateway that serves."""

import signal

import pytest

from tests.gateway_process import running_gateway, wait_until, write_policies
from tests.system.chatting import SIMULATED, STEADY_MODEL, chat, desk, open_stream, sample
from tests.tracing import traced

TOKEN_FILE = "credential"


def named(name: str) -> str:
    """One more route."""
    return f'kind: route\nname: {name}\nreleases: {{"1.0.0": {{model: openai/{STEADY_MODEL}}}}}\nserve: "1.0.0"\n'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway whose policies are partly a mounted volume, as an orchestrator swaps it, and whose key is in a file."""
    folder = tmp_path_factory.mktemp("reloading")
    key = folder / TOKEN_FILE
    key.write_text("sk-before\n")
    volume = folder / "policies" / "volume"
    write_policies(volume / "..first", {"mounted.yaml": named("mounted-before")})
    (volume / "..data").symlink_to("..first")
    (volume / "mounted.yaml").symlink_to("..data/mounted.yaml")
    files = {"provider.yaml": SIMULATED + f"credential: {{file: {key}}}\n", "desk.yaml": desk()}
    with running_gateway(folder, files, "--drain-grace", "1s", env=traced()) as running:
        running.key = key
        yield running


def renamed(gateway) -> str:
    """As most editors save: a new file takes the name of the old one."""
    gateway.write(renamed=named("renamed"))
    return "renamed"


def in_place(gateway) -> str:
    """As some editors and shells do."""
    (gateway.policies / "place.yaml").write_text(named("in-place"))
    return "in-place"


def swapped(gateway) -> str:
    """As a mounted volume changes: one symlink on the way points elsewhere."""
    volume = gateway.policies / "volume"
    write_policies(volume / "..second", {"mounted.yaml": named("mounted-after")})
    (volume / "..new").symlink_to("..second")
    (volume / "..new").replace(volume / "..data")
    return "mounted-after"


@pytest.mark.parametrize("change", [renamed, in_place, swapped])
def test_a_changed_file_is_served_and_no_open_stream_is_dropped(gateway, change):
    """However it changed; a stream that was open before ends whole after."""
    gateway.simulator.behave_model(STEADY_MODEL, hang="middle")
    with open_stream(gateway) as stream:
        name = change(gateway)
        wait_until(lambda: name in [route["route"] for route in gateway.status()["routes"]])
        gateway.simulator.behave_model(STEADY_MODEL, hang=None)
        assert 200 == chat(gateway, name).status_code
        assert stream.result(60).endswith("data: [DONE]\n\n")


def test_a_hangup_reloads(gateway):
    """SIGHUP reads the files again though none has changed."""
    before = len(gateway.events("reload_accepted"))
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(gateway.events("reload_accepted")) > before)
    assert gateway.events("reload_accepted")[0]["revision"] != ""


def test_a_set_that_is_not_acceptable_leaves_the_last_good_one(gateway):
    """Half written, wrong, or emptied: it serves on, counts, and says why, until the files are right again."""
    revision = gateway.status()["revision"]
    whole = (gateway.policies / "desk.yaml").read_text()
    rejected = sample(gateway.metrics(), "pinion_policy_reloads_total", result="rejected")
    for wrong in (whole[: len(whole) // 2], whole.replace("openai/", "nowhere/"), "kind: nonsense\n"):
        (gateway.policies / "desk.yaml").write_text(wrong)
        rejected += 1
        wait_until(
            lambda: sample(gateway.metrics(), "pinion_policy_reloads_total", result="rejected") == rejected  # noqa: B023
        )
        status = gateway.status()
        assert ("rejected", revision) == (status["reload"]["result"], status["revision"])
        assert f"{gateway.policies}/desk.yaml" in {problem["file"] for problem in status["reload"]["problems"]}
        assert 200 == chat(gateway).status_code

    (gateway.policies / "desk.yaml").write_text(whole)
    wait_until(lambda: gateway.status()["reload"]["result"] == "accepted")
    assert revision == gateway.status()["revision"]


def test_a_folder_that_is_taken_away_leaves_the_last_good_set(gateway):
    """And its return is noticed."""
    away = gateway.policies.with_name("away")
    gateway.policies.rename(away)
    wait_until(lambda: gateway.status()["reload"]["result"] == "rejected")
    assert 200 == chat(gateway).status_code
    away.rename(gateway.policies)
    wait_until(lambda: gateway.status()["reload"]["result"] == "accepted")


def test_a_changed_credential_is_used_from_the_next_request_on(gateway):
    """Its file is watched; written in place or swapped, it needs no other change. An empty one is refused."""

    def shown():
        chat(gateway)
        return gateway.simulator.requests()[-1].header("authorization")

    assert "Bearer sk-before" == shown()
    gateway.key.write_text("sk-after\n")
    wait_until(lambda: shown() == "Bearer sk-after")
    new = gateway.key.with_name("new")
    new.write_text("sk-swapped")
    new.replace(gateway.key)
    wait_until(lambda: shown() == "Bearer sk-swapped")
    gateway.key.write_text("")
    wait_until(lambda: gateway.status()["reload"]["result"] == "rejected")
    assert "Bearer sk-swapped" == shown()
