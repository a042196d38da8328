"""The keys of routes and prompts: their defaults and short forms."""

from gateway.control.policy_text import read_documents
from gateway.control.route_documents import PromptDocument, RouteDocument
from gateway.core.breaker import BreakerPolicy
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


def test_an_experiment_runs_for_a_time():
    """`for` is a word of Python, so its key is read under another name."""
    arms = "{a: {release: 1.0, percent: 50}}"
    assert 604_800.0 == route(f"experiment: {{name: x, arms: {arms}, for: 7d}}\n").experiment.for_


def test_a_prompt_goes_before_the_applications_own_by_default():
    """It has no inputs and no schema unless they are declared."""
    text = "{kind: prompt, name: p, version: 1.0, text: hello}"
    keys = PromptDocument.model_validate(read_documents("a.yaml", text).documents[0].value)
    assert ("1.0", "system", {}, None) == (keys.version, keys.place, keys.input, keys.output_schema)
