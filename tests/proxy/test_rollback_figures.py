"""How soon a bad candidate is out, played through whole exchanges: stable fails one request in two hundred."""

import random
import statistics

import pytest

from tests.proxy import playbook

STABLE_FAILS = 0.005
FEW_STATUSES = (500, 502, 503)


def requests_until_out(canary_fails: float, seed: int, most: int) -> tuple[int, int]:
    """Play requests in sequence until the candidate is out; give how many it got, and how many callers saw fail."""
    chance = random.Random(seed)
    play = playbook.Play(playbook.route(canary_ppm=500_000))
    finished = harmed = 0
    for number in range(most):
        play.clock.now += 1.0
        _, downstream = play.ask(user=f"user-{chance.random()}-{number}")
        while downstream.ended is None:
            call = play.upstream.last
            is_canary = call.json["model"] == "atlas-1.1.0"
            finished += is_canary
            fails = chance.random() < (canary_fails if is_canary else STABLE_FAILS)
            if fails:
                call.answer(b"{}", status=chance.choice(FEW_STATUSES))
            else:
                call.answer()
        met_the_canary = play.upstream.calls[0].json["model"] == "atlas-1.1.0"
        harmed += met_the_canary and downstream.status != 200
        play.upstream.calls.clear()
        if play.trips:
            return finished, harmed
    return most, harmed


@pytest.mark.parametrize("seed", range(20))
def test_a_candidate_that_fails_all_is_out_after_three_and_nobody_sees_it(seed):
    """Three finished failures, each answered by stable instead."""
    finished, harmed = requests_until_out(1.0, seed, 100)

    assert (3, 0) == (finished, harmed)


@pytest.mark.untraced
def test_a_candidate_that_fails_one_in_five_is_out_within_25_requests_of_its_own():
    """The median over sixty seeded runs; the breaker's own tests hold two hundred and more."""
    runs = [requests_until_out(0.2, seed, 1_000)[0] for seed in range(60)]

    assert statistics.median(runs) <= 25
