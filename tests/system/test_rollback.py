"""A canary that turns bad, and what is left of it after crashes."""

import sqlite3
from contextlib import closing, contextmanager

from gateway.simulator.server import running
from tests.gateway_process import running_gateway, wait_until
from tests.system.chatting import NEW_MODEL, SIMULATED, STEADY_MODEL, chat, desk, sample, weight

ROLLING = desk("1.1.0", "rollout: {steps: [{percent: 50}]}")


@contextmanager
def rolling(tmp_path, *args, simulator=None):
    """A gateway amid a rollout at 50 percent."""
    with running_gateway(tmp_path, {"p.yaml": SIMULATED, "desk.yaml": desk()}, *args, simulator=simulator) as gateway:
        gateway.write(desk=ROLLING)
        wait_until(lambda: weight(gateway, "1.1.0") == 500_000)
        yield gateway


def calls(gateway, model=NEW_MODEL) -> int:
    """How many requests a model has had."""
    return sum(one.model == model for one in gateway.simulator.requests())


def ask_until(gateway, reached) -> list[int]:
    """Ask for one unit after the other until a condition holds; give the statuses of the answers."""
    statuses = []
    while not reached():
        assert len(statuses) < 200
        statuses.append(chat(gateway, unit=f"user-{len(statuses)}").status_code)
    return statuses


def test_a_failing_canary_is_out_after_three_failures_that_nobody_saw(tmp_path):
    """Rolled back at once, recorded, logged with its evidence, counted, explained; and it gets no request any more."""
    with rolling(tmp_path) as gateway:
        gateway.simulator.behave_model(NEW_MODEL, error_rate=1.0)
        statuses = ask_until(gateway, lambda: calls(gateway) == 3)

        rollout = gateway.route("desk")["rollout"]
        assert ("rolled_back", "gateway", "consecutive") == (
            rollout["state"],
            rollout["actor"],
            rollout["evidence"]["rule"],
        )
        assert 3 == rollout["evidence"]["failed"]
        statuses += [chat(gateway, unit=f"later-{n}").status_code for n in range(20)]
        assert {200} == set(statuses)
        assert 3 == calls(gateway)

        metrics = gateway.metrics()
        assert 1 == sample(metrics, "pinion_rollbacks_total", route="desk", reason="consecutive")
        assert 0 == sample(metrics, "pinion_release_weight_ppm", route="desk", release="1.1.0")
        canary = {"route": "desk", "release": "1.1.0", "track": "canary", "outcome": "failed"}
        assert 3 == sample(metrics, "pinion_requests_total", **canary)
        events = wait_until(lambda: gateway.events("rollback"))
        assert ["1.1.0"] == [event["release"] for event in events]
        assert 3 == events[0]["evidence"]["failed"]
        explained = gateway.ask("GET", "explain", params={"rollout": "desk"})
        assert ["rollback", "start"] == [event["verb"] for event in explained["events"] if event["verb"] != "hold"]


def test_a_rollback_by_hand_is_in_force_when_it_answers(tmp_path):
    """No request meets the candidate from then on; a retry is another attempt."""
    with rolling(tmp_path) as gateway:
        ask_until(gateway, lambda: calls(gateway) > 0)
        assert 0 == gateway.act("rollback", "desk", reason="the tone is wrong")["weight_ppm"]
        before = calls(gateway)
        for n in range(20):
            chat(gateway, unit=f"after-{n}")
        assert before == calls(gateway)
        assert 2 == gateway.act("retry", "desk")["attempt"]
        ask_until(gateway, lambda: calls(gateway) > before)


def test_a_recorded_trip_survives_the_process_being_killed(tmp_path):
    """After the restart the old release is stable, though the file still asks for the new one."""
    with running(behaviour={"models": {NEW_MODEL: {"error_rate": 1.0}}}) as simulator:
        with rolling(tmp_path, simulator=simulator) as gateway:
            ask_until(gateway, lambda: weight(gateway, "1.1.0") == 0)
            wait_until(lambda: gateway.status()["unrecorded_acts"] == 0)
            gateway.process.kill()
        simulator.clear()
        with running_gateway(tmp_path, {"desk.yaml": ROLLING}, simulator=simulator) as gateway:
            assert "rolled_back" == gateway.route("desk")["rollout"]["state"]
            assert {200} == {chat(gateway, unit=f"user-{n}").status_code for n in range(20)}
            assert 0 == calls(gateway)


def test_a_trip_that_was_lost_trips_anew(tmp_path):
    """The store could not be written when the process was killed; the release is taken out again by what it does."""
    with running(behaviour={"models": {NEW_MODEL: {"error_rate": 1.0}}}) as simulator:
        with rolling(tmp_path, simulator=simulator) as gateway:
            wait_until(lambda: gateway.status()["unrecorded_acts"] == 0)
            with closing(sqlite3.connect(tmp_path / "pinion.db", isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                ask_until(gateway, lambda: weight(gateway, "1.1.0") == 0)
                assert 0 < gateway.status()["unrecorded_acts"]
                gateway.process.kill()
                gateway.process.wait()
        with running_gateway(tmp_path, {"desk.yaml": ROLLING}, simulator=simulator) as gateway:
            assert 500_000 == weight(gateway, "1.1.0")
            assert {200} == set(ask_until(gateway, lambda: weight(gateway, "1.1.0") == 0))
            assert "rolled_back" == gateway.route("desk")["rollout"]["state"]


def test_a_restart_keeps_a_rollout_at_its_step(tmp_path):
    """The split is the same for every unit before and after."""

    def models(gateway):
        gateway.simulator.clear()
        for n in range(30):
            chat(gateway, unit=f"user-{n}")
        return [one.model for one in gateway.simulator.requests()]

    with running() as simulator:
        with rolling(tmp_path, simulator=simulator) as gateway:
            before = models(gateway)
            assert 0 == gateway.stop()
        with running_gateway(tmp_path, {"desk.yaml": ROLLING}, simulator=simulator) as gateway:
            assert before == models(gateway)
            assert {STEADY_MODEL, NEW_MODEL} == set(before)
