"""A canary that turns bad under load. Run against `make serve`: `make load SCENARIO=canary_failing`.

Five seconds in, the simulated provider begins to fail the candidate's model. What is shown: no caller sees a failure,
and the candidate is out of traffic. The rollout is started first, and the provider mended at the end.
"""

import json
import os
import time
import urllib.request
from typing import Any

import gevent
from application import ROUTE, Application
from locust import between, events, task

ADMIN_URL = os.environ.get("PINION_ADMIN_URL", "http://127.0.0.1:8081")
SIMULATOR_URL = os.environ.get("SIMULATOR_URL", "http://127.0.0.1:9000")
CANDIDATE_MODEL = os.environ.get("CANDIDATE_MODEL", "atlas-large-2026-09-01")
ENOUGH_PPM = 250_000
HEALTHY_SECONDS = 5.0
PATIENCE_SECONDS = 20.0


def call(method: str, url: str, body: Any = None) -> Any:
    """Send JSON to a loopback address; give the JSON that comes back."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the addresses are ours
        return json.loads(answer.read())


def rollout() -> dict[str, Any]:
    """Give the route's latest rollout."""
    told: dict[str, Any] = call("GET", f"{ADMIN_URL}/admin/v1/rollouts/{ROUTE}")
    return told


def act(verb: str) -> None:
    """Move the rollout."""
    call("POST", f"{ADMIN_URL}/admin/v1/rollouts/{ROUTE}/{verb}", {"reason": "load test"})


class Asker(Application):
    """Asks about twice a second."""

    wait_time = between(0.3, 0.7)

    @task
    def ask(self) -> None:
        """Ask once."""
        self.chat()


def spoil(environment: Any) -> None:
    """Let the canary serve, then break it, and say when it was out."""
    gevent.sleep(HEALTHY_SECONDS)
    call("PATCH", f"{SIMULATOR_URL}/_simulator/faults", {"models": {CANDIDATE_MODEL: {"error_rate": 1.0}}})
    broken = time.monotonic()
    while time.monotonic() - broken < PATIENCE_SECONDS:
        if rollout()["state"] == "rolled_back":
            print(f"rolled back {time.monotonic() - broken:.1f} s after the canary broke: {rollout()['reason']}")
            return
        gevent.sleep(0.05)
    print("the canary was not rolled back in time")
    environment.process_exit_code = 1


@events.test_start.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Start the rollout, or try it again, and give the candidate a share that is soon seen to fail."""
    verb = {"held": "start", "rolled_back": "retry"}.get(rollout()["state"])
    if verb is not None:
        act(verb)
    while rollout()["weight_ppm"] < ENOUGH_PPM:
        act("promote")
    gevent.spawn(spoil, environment)


@events.test_stop.add_listener
def end(environment: Any, **_: Any) -> None:
    """Mend the provider; the candidate must be out, and no caller may have seen a failure."""
    call("PATCH", f"{SIMULATOR_URL}/_simulator/faults", {"models": {CANDIDATE_MODEL: {"error_rate": 0.0}}})
    if environment.stats.total.num_failures or rollout()["state"] != "rolled_back":
        environment.process_exit_code = 1
