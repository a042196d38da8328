"""The edge that drives an exchange from the HTTP protocol itself, as its tests set it up."""

import asyncio
from functools import partial

import uvicorn
import uvloop

from gateway.adapters.edge_guard import Limits
from gateway.adapters.edge_protocol import driving
from tests.adapters.edge_server import EdgeServer, others, request
from tests.adapters.edge_stage import Stage

SWIFT = Limits(sweep_seconds=0.05, linger_seconds=0.05)
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def configured(
    stage: Stage, limits: Limits = SWIFT, application=others, turned_away=lambda: None, **settings
) -> uvicorn.Config:
    """A server with the protocol's edge."""
    return uvicorn.Config(
        application,
        port=0,
        http=driving(stage, limits, turned_away),
        log_config=None,
        ws="none",
        lifespan="off",
        **settings,
    )


def alone(limits: Limits = SWIFT, loop=asyncio.new_event_loop, trust=None, **settings) -> EdgeServer:
    """A server of its own, for a test that needs other limits."""
    return EdgeServer(partial(configured, limits=limits, **settings), loop=loop, trust=trust)


OLD = request().replace(b"HTTP/1.1", b"HTTP/1.0")
KEPT_OLD = request(b"{}", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
"""After this one the parser goes on, though the connection does not."""


def streamed(exchange) -> None:
    """Begin an answer that the test goes on with."""
    exchange.begin()
    exchange.downstream.write(b"begun")
