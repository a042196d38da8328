"""The demo's own policies."""

import hashlib

import pytest

from gateway.cli.demo import policies as demo_policies
from gateway.cli.demo.policies import RELEASES, policy_files, with_shadow
from gateway.control.policies import load

FILES = policy_files(
    {"openai": "http://127.0.0.1:1", "anthropic": "http://127.0.0.1:2"},
    {wire: hashlib.sha256(wire.encode()).hexdigest() for wire in ("openai", "anthropic")},
)


@pytest.mark.parametrize("files", [FILES, FILES | with_shadow()], ids=["at first", "with the shadow"])
def test_they_are_acceptable(files):
    """Both states load without a problem or a warning."""
    loaded = load(files)
    assert () == loaded.warnings
    assert {"support-assistant", "summaries"} == set(loaded.routes)


def test_releases_pin_the_models_that_the_demo_compares_answers_with():
    """What is called a release's model in the demo is its upstream model in the policies."""
    loaded = load(FILES)
    for release in RELEASES:
        pinned = loaded.routes[release.route].releases[release.version].model
        assert release.model == loaded.models[str(pinned)].upstream_model


def test_the_plan_begins_with_the_canary_of_five_percent():
    """The first step is the percentage that the demo speaks of."""
    route = load(FILES).routes[demo_policies.ROUTE]
    assert demo_policies.CANARY_PERCENT * 10_000 == route.plan.steps[0].percent_ppm
    assert (demo_policies.CANARY.version, demo_policies.STABLE.version) == (route.serve, route.rollout_from)
