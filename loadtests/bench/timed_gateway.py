"""`pinion`, with a clock around the steps of a request's way.

A clock costs about half a microsecond a call, and a step's time holds those of the steps within it.
"""

import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.cli import main

STEPS = {
    "edge: all": "gateway.adapters.edge_protocol:EdgeProtocol.data_received",
    "upstream: all": "gateway.adapters.upstream_line:Line.data_received",
    "reading the request": "gateway.adapters.edge_guard:EdgeGuard._receive",
    "admission by the head": "gateway.proxy.exchange:admit_head",
    "admission by the body": "gateway.proxy.exchange:admit_body",
    "assignment": "gateway.proxy.exchange:assigned",
    "legs of the way": "gateway.proxy.way:Way.assigned",
    "leave of the breaker": "gateway.control.breakers:Breakers.permit",
    "shaping": "gateway.proxy.exchange:shape",
    "sending to the provider": "gateway.adapters.upstreams:Upstreams.send",
    "... its system call": "gateway.adapters.upstream_line:Line.carry",
    "reading the answer": "gateway.wire.http_reader:AnswerReader.feed",
    "scan of the answer": "gateway.proxy.relay:AnswerRelay.end",
    "answering the client": "gateway.adapters.edge_turn:GovernedTurn.write",
    "... its system call ": "gateway.adapters.edge_protocol:EdgeProtocol.send",
    "settlement": "gateway.proxy.exchange:settle",
    "... of it the record": "gateway.proxy.settlement:record_of",
    "... of it the breaker": "gateway.control.breakers:Breakers.report",
    "... of it the meters": "gateway.adapters.prometheus_meters:PrometheusMeters.settle",
}
"""Each step by its name, and the function that is clocked: `module:function` or `module:Class.method`."""


def clocked(place: str, sums: list[float]) -> None:
    """Put a clock around a function: `sums` gets its calls and seconds."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *within, name = path.split(".")
    for step in within:
        owner = getattr(owner, step)
    act: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return act(*args, **named)
        finally:
            sums[0] += 1
            sums[1] += time.perf_counter() - began

    setattr(owner, name, timed)


def run(times: str) -> None:
    """Run the command under clocks; when it ends, write calls and seconds of each step, as JSON, to a file."""
    sums: dict[str, list[float]] = {step: [0, 0.0] for step in STEPS}
    for step, place in STEPS.items():
        clocked(place, sums[step])
    try:
        main(prog_name="pinion")
    finally:
        Path(times).write_text(json.dumps(sums), encoding="utf-8")
