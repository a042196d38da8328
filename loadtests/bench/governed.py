"""Pinion under test, with everything governed on: key, sticky unit, canary, prompt, params, prices, ledger, log."""

import hashlib
import http.client
import json
import re
import sys
import time
from pathlib import Path

from loadtests.bench.answers import MODEL
from loadtests.bench.installs import Found
from loadtests.bench.processes import StartFault, start
from loadtests.bench.setups import Address, Setup, Subject, route_name

KEY = "pin_benchmark"
READY_SECONDS = 60

CANARY_PERCENT = 5

SHARED = """\
kind: app
name: bench
keys: [{{sha256: {digest}}}]
---
kind: provider
name: upstream
dialect: openai
base_url: {upstream}/v1
max_connections: 8000
{trust}
---
kind: model
name: atlas-large
provider: upstream
owner: ai-platform
versions:
  "2026-03-15": {{upstream_model: {model}, price: {{input: 2.5, cached_input: 1.25, output: 10}}}}
  "2026-09-01":
    upstream_model: atlas-large-2026-09-01
    served_model: {model}
    price: {{input: 2, cached_input: 0.5, output: 8}}
---
kind: prompt
name: desk
version: 1.0.0
text: You are the support assistant of a maker of gearboxes. Answer from the manual only.
---
kind: prompt
name: desk
version: 1.1.0
text: You are the support assistant of a maker of gearboxes. Answer from the manual only, in two sentences.
---
kind: rollout_plan
name: careful
steps:
  - {{percent: {percent}, hold: 24h, min_requests: 1000000000, approval: true}}
  - {{percent: 100, bake: 24h}}
guardrails:
  - {{metric: error_rate, max_delta: 0.02}}
  - {{metric: slow_rate, over: 8s, max_delta: 0.03}}
signals:
  - {{metric: cost_per_request, max_ratio: 1.1}}
"""

ROUTE = """\
kind: route
name: {name}
owner: {owner}
sticky_by: [header:x-pinion-unit, body:user]
releases:
  "1.0.0": {{model: atlas-large@2026-03-15, prompt: desk@1.0.0, params: {{temperature: 0.2, seed: 7}}}}
  "1.1.0": {{model: atlas-large@2026-09-01, prompt: desk@1.1.0, params: {{temperature: 0.2, seed: 7}}}}
serve: "1.1.0"
rollout: {{plan: careful, from: "1.0.0"}}
breaker: {{window: 30s, min_requests: 5, failure_rate: 0.5, consecutive: 3, open: 15s}}
fallback: ["1.0.0"]
"""


def write_policies(folder: Path, setup: Setup) -> None:
    """Write the policy set: shared documents, and a file for each route."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = SHARED.format(
        digest=hashlib.sha256(KEY.encode()).hexdigest(),
        upstream=setup.upstream,
        trust=f"ca_file: {setup.trusted}" if setup.trusted else "",
        model=MODEL,
        percent=CANARY_PERCENT,
    )
    (folder / "shared.yaml").write_text(shared, encoding="utf-8")
    for number in range(setup.routes):
        write_route(folder, number, owner="support-team")


def write_route(folder: Path, number: int, owner: str) -> None:
    """Write the file of one route, or write it anew with another owner."""
    name = route_name(number)
    (folder / f"{name}.yaml").write_text(ROUTE.format(name=name, owner=owner), encoding="utf-8")


def start_pinion(pinion: Found, setup: Setup) -> Subject:
    """Start a gateway with a store of its own and every route's canary running at 5 %."""
    write_policies(setup.folder / "policies", setup)
    subject, admin = start_gateway(pinion, setup)
    try:
        start_rollouts(admin, setup.routes)
    except BaseException:
        if subject.process:
            subject.process.stop()
        raise
    return subject


def start_gateway(pinion: Found, setup: Setup, *more: str, store: str | None = None) -> tuple[Subject, int]:
    """Start a gateway on policies that are there already; give it with its operations port.

    `more` are options of `pinion serve`; the store is a file in the setup's folder unless one is named.

    Raises:
        StartFault: It did not get ready.
    """
    command = [
        *(str(pinion.program), "serve", "--policies", str(setup.folder / "policies")),
        *("--port", "0", "--admin-port", "0", "--drain-delay", "0s", "--drain-grace", "1s"),
        *("--store", store or f"sqlite:///{setup.folder / 'pinion.db'}", *more),
    ]
    began = time.monotonic()
    process = start("pinion", command, setup.folder)
    out = setup.folder / "out"
    while "\n" not in (told := out.read_text(encoding="utf-8")):
        if process.ended() or time.monotonic() > began + READY_SECONDS:
            process.stop()
            raise StartFault(f"pinion did not get ready: {process.last_words()}")
        time.sleep(0.005)
    seconds = time.monotonic() - began
    port, admin = (int(port) for port in re.findall(r"http://[^\s,]*:(\d+)", told))
    headers = {"Authorization": f"Bearer {KEY}"}
    return Subject("pinion", Address(port, headers, setup.routes), process, seconds), admin


def start_rollouts(admin: int, routes: int) -> None:
    """Start every route's rollout, which puts its canary at the first step.

    Raises:
        StartFault: The gateway refused one.
    """
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    for number in range(routes):
        path = f"/admin/v1/rollouts/{route_name(number)}/start"
        connection.request("POST", path, json.dumps({"reason": "benchmark"}), {"content-type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise StartFault(
                f"the rollout of {route_name(number)} did not start: {told[:200].decode(errors='replace')}"
            )
    connection.close()


def find_pinion(_: Path) -> Found:
    """Find the project's own command beside the interpreter that runs this."""
    return Found(Path(sys.executable).with_name("pinion"), "")
