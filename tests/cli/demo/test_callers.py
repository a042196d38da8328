"""The callers of the demo, before a simulated provider that takes the gateway's place."""

import asyncio

import pytest

from gateway.cli.demo.callers import Callers
from gateway.cli.demo.policies import ROUTE, SUMMARIES
from gateway.simulator.server import running

pytestmark = pytest.mark.anyio

KEYS = {"openai": "key-of-openai", "anthropic": "key-of-anthropic"}


async def asked(url, enough):
    """The answers of callers who stop once there are enough."""
    answers, stop = [], asyncio.Event()

    def took(answer):
        answers.append(answer)
        if enough(answers):
            stop.set()

    async with Callers(url, KEYS, took) as callers, asyncio.timeout(20):
        await callers.ask_until(stop)
    return answers


def kinds(answers):
    """The ways in which these answers were asked for: route and whether streamed."""
    return {(answer.route, answer.stream) for answer in answers}


ALL_KINDS = {(route, stream) for route in (ROUTE, SUMMARIES.route) for stream in (False, True)}


async def test_users_ask_with_both_sdks_streaming_and_not():
    """Every way of asking gets a whole answer, with the user in the request and the model in the answer."""
    with running() as sim:
        answers = await asked(sim.url, lambda so_far: kinds(so_far) == ALL_KINDS)
        received = sim.settled()
    assert {"whole"} == {answer.ending for answer in answers}
    assert all(answer.model == answer.route for answer in answers)
    users = {one.json().get("user") or one.json()["metadata"]["user_id"] for one in received}
    assert {answer.user for answer in answers} == users
    assert {None} == {answer.release for answer in answers}


@pytest.mark.parametrize(
    ("behaviour", "ending", "kinds_hit"),
    [
        ({"error_rate": 1, "error_status": 503}, "error", ALL_KINDS),
        ({"cut_event": 2, "cut_at": 200}, "cut", {kind for kind in ALL_KINDS if kind[1]}),
        ({"cut_at": 20}, "error", {kind for kind in ALL_KINDS if not kind[1]}),
    ],
    ids=["refused", "cut stream", "cut whole answer"],
)
async def test_harm_is_seen(behaviour, ending, kinds_hit):
    """An error, a stream without its end and half an answer are told apart, with the SDK's message."""
    with running(behaviour=behaviour) as sim:
        answers = await asked(sim.url, lambda so_far: kinds(so_far) == ALL_KINDS)
        received = sim.settled()
    hit = [answer for answer in answers if (answer.route, answer.stream) in kinds_hit]
    assert {ending} == {answer.ending for answer in hit}
    assert all(answer.fault for answer in hit)
    assert len(answers) == len(received), "the SDKs' own retries are off"
