"""The keys of routes and prompts: their defaults and short forms."""

import re

import pytest

from gateway.control.policy_text import read_documents
from gateway.control.route_documents import PromptDocument, RouteDocument
from gateway.core.breaker import BreakerPolicy
from gateway.core.error_budget import Slo
from gateway.core.unit import DEFAULT_STICKY_BY

LEAST = "kind: route\nname: r\nreleases: {1.0: {model: m@1}}\nserve: 1.0\n"


def route(more=""):
    """Read a route's keys from YAML."""
    return RouteDocument.model_validate(read_documents("a.yaml", LEAST + more).documents[0].value)


def test_a_route_has_the_defaults_of_the_core():
    """Only its releases and what it serves must be written."""
    keys = route()
    assert DEFAULT_STICKY_BY == tuple(keys.sticky_by)
    assert BreakerPolicy() == BreakerPolicy(**keys.breaker.model_dump())
    assert (None, "count", [], [], None, None) == (
        keys.rollout,
        keys.on_mismatch,
        keys.fallback,
        keys.rules,
        keys.shadow,
        keys.experiment,
    )


def test_versions_without_quotes_are_taken_as_written():
    """1.0 is the version "1.0", as a key and as a value."""
    keys = route("rollout: {from: 1.0}\nfallback: [1.0]\n")
    assert (["1.0"], "1.0", "1.0", ["1.0"]) == (list(keys.releases), keys.serve, keys.rollout.from_, keys.fallback)


def test_a_rollout_may_be_a_plans_name_alone():
    """`rollout: careful` is short for a plan."""
    assert "careful" == route("rollout: careful\n").rollout.plan


def test_a_mirror_has_its_limits_by_default():
    """One mebibyte, a minute, and no budget."""
    shadow = route("shadow: {release: 1.0, percent: 10}\n").shadow
    assert (100_000, 1 << 20, 60.0, None) == (
        shadow.percent,
        shadow.max_body,
        shadow.timeout,
        shadow.daily_budget_usd,
    )


def test_a_release_is_retired_with_a_reason():
    """None is, unless its file says why."""
    assert route().releases["1.0"].retired is None
    text = LEAST.replace("m@1", "m@1, retired: its model is withdrawn")
    keys = RouteDocument.model_validate(read_documents("a.yaml", text).documents[0].value)
    assert "its model is withdrawn" == keys.releases["1.0"].retired


def test_an_objective_has_the_defaults_of_the_core():
    """Only the share of good requests must be written; a route has none unless it is."""
    assert route().slo is None
    assert Slo(0.995) == Slo(**route("slo: {success: 0.995}\n").slo.model_dump())


@pytest.mark.parametrize(
    "keys", ["{success: 0.5, pause_at: 2}", "{success: 0.9, period: 1h, window: 1h}", "{success: 0.9, period: 90d}"]
)
def test_the_limits_of_an_objective_may_be_met(keys):
    """Half of all requests, the shortest and the longest period, a window as long as the period."""
    assert route(f"slo: {keys}\n").slo is not None


def test_an_experiment_runs_for_a_time():
    """`for` is a word of Python, so its key is read under another name."""
    arms = "{a: {release: 1.0, percent: 50}}"
    assert 604_800.0 == route(f"experiment: {{name: x, arms: {arms}, for: 7d}}\n").experiment.for_


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            "primary: errors",
            "'errors' is not a metric; write one of cost_per_request, error_rate, first_token_seconds, ",
        ),
        ("secondary: [feedback.Resolved]", "'feedback.Resolved' is not a metric"),
        ("primary: slow_rate", "slow_rate and over go together"),
        ("over: 8s", "slow_rate and over go together"),
        ("primary: seconds, secondary: [seconds]", "it names the metric seconds twice; keep one of them"),
        ("control: c", "there is no arm 'c'; write one of a, b"),
        ("alpha: 0", "greater than or equal to 0.0001"),
    ],
)
def test_an_experiment_that_cannot_be_analysed_is_refused(keys, said):
    """With what to write instead."""
    arms = "arms: {a: {release: 1.0, percent: 50}, b: {release: 1.0, percent: 50}}"
    with pytest.raises(ValueError, match=re.escape(said)):
        route(f"experiment: {{name: x, {arms}, {keys}}}\n")


def test_a_prompt_goes_before_the_applications_own_by_default():
    """It has no inputs and no schema unless they are declared."""
    text = "{kind: prompt, name: p, version: 1.0, text: hello}"
    keys = PromptDocument.model_validate(read_documents("a.yaml", text).documents[0].value)
    assert ("1.0", "system", {}, None) == (keys.version, keys.place, keys.input, keys.output_schema)
