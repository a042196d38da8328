"""Whole policy sets: what is loaded, what is refused, and that every example in the documentation is one."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.policy_folder import read_folder
from gateway.control.policies import load, revision_of
from gateway.core.errors import PolicyFault

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")

SMALLEST = """
kind: provider
name: openai
dialect: openai
credential: {env: OPENAI_API_KEY}
---
kind: route
name: support-assistant
releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}}
serve: "1.0.0"
"""


def test_the_smallest_useful_set_pins_one_model():
    """A provider and a route are enough."""
    policies = load({"a.yaml": SMALLEST})
    release = policies.routes["support-assistant"].releases["1.0.0"]
    assert ("gpt-4o@2024-08-06", None) == (release.model, release.prompt)
    assert "gpt-4o-2024-08-06" == policies.models[release.model].served_model
    assert () == policies.warnings


def test_an_empty_set_is_refused():
    """Nothing at all is more likely an accident than a wish."""
    with pytest.raises(
        PolicyFault, match=re.escape(".:1: there is no policy here; write one in a file that ends in .yaml")
    ):
        load({})


@pytest.mark.parametrize("text", ["", " \n\n", "# nothing yet\n---\n"])
def test_an_empty_file_is_refused(text):
    """However good the others are; what may have stood in it and is missed elsewhere is not told as well."""
    app = "kind: app\nname: a\nkeys: []\nroutes: [lost]\n"
    with pytest.raises(PolicyFault) as caught:
        load({"a.yaml": SMALLEST, "b.yaml": text, "c.yaml": app})
    assert [
        "b.yaml:1: the file declares nothing; write what it is to declare, or delete the file if that is meant"
    ] == [str(problem) for problem in caught.value.problems]


def test_a_set_without_routes_is_warned_of():
    """It serves nobody."""
    policies = load({"a.yaml": "kind: provider\nname: p\ndialect: openai\n"})
    assert [".:1: the set declares no route; declare one, or every request is refused"] == [
        str(warning) for warning in policies.warnings
    ]


def test_every_problem_of_every_file_is_told_at_once():
    """Of text, of keys and of references, by file and line."""
    files = {
        "c.yaml": "a: [",
        "b.yaml": "kind: app\nname: a\nkeys: []\nroutes: [r]\ncolour: red\n",
        "a.yaml": SMALLEST.replace('serve: "1.0.0"', 'serve: "1.0.1"') + "serve: x\n",
    }
    with pytest.raises(PolicyFault) as caught:
        load(files)
    assert [("a.yaml", 10), ("a.yaml", 11), ("b.yaml", 5), ("c.yaml", 1)] == [
        (problem.file, problem.line) for problem in caught.value.problems
    ]


def test_the_revision_is_that_of_names_and_contents():
    """In whatever order the files came, and no two sets run together."""
    one = revision_of({"a": "x", "b": "y"})
    assert one == revision_of({"b": "y", "a": "x"}) == revision_of({"a": "x", "b": "y"})
    others = ({"a": "xb", "": "y"}, {"a": "y", "b": "x"}, {"a": "xby"}, {"a": "x"}, {})
    assert all(one != revision_of(other) for other in others)
    assert load({"a.yaml": SMALLEST}).revision == revision_of({"a.yaml": SMALLEST})


def test_the_sample_set_is_acceptable():
    """`make serve` begins with it: two releases with a rollout that waits, and no application."""
    policies = load(read_folder(ROOT / "policies"))
    assert () == policies.warnings
    route = policies.routes["support-assistant"]
    assert ("1.1.0", "1.0.0", "careful") == (route.serve, route.rollout_from, route.plan.name)
    assert {"openai", "anthropic"} == {each.dialect for each in policies.routes.values()}
    assert (frozenset(), ()) == (policies.app_names, policies.credential_files)


EXAMPLES = re.findall(r"^```(yaml|prompt)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_are_one_policy_set():
    """Every block of the page loads, and together they have no warning but those that the page speaks of."""
    files = {f"{number:02}.{kind}": text for number, (kind, text) in enumerate(EXAMPLES)}
    policies = load(files)
    assert {"support-assistant", "support-first", "answers"} == set(policies.routes)
    assert () == policies.warnings


def test_the_page_names_every_key():
    """A key that is not documented cannot be found."""
    source = "".join(
        (ROOT / "gateway" / "control" / f"{name}_documents.py").read_text()
        for name in ("policy", "model", "route", "approval")
    )
    keys = {key.rstrip("_") for key in re.findall(r"^    (\w+): ", source, re.MULTILINE)}
    assert set() == {key for key in keys if f"`{key}`" not in PAGE}


WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        """
        kind name provider model app rollout_plan route prompt dialect openai versions upstream_model
        releases serve steps percent shadow rules when experiment arms release text input
        place output_schema keys sha256 routes fallback from plan params context breaker window
        sticky_by 1.0 2 true 10s 1MiB null latest p/u-latest m@1
        strategy blue_green canary alpha on_no_data after do rollback min_units bake retired slo success period 0.9
        """,
    )
)
VALUES = st.recursive(
    WORDS | st.none() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


def as_yaml(value):
    """Write a value in the flow style, without quotes where none are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_yaml(below) for below in value) + "]"
    return "~" if value is None else str(value)


def told(files):
    """Every problem of a set, as it is printed; none when it is acceptable."""
    try:
        load(files)
    except PolicyFault as fault:
        return [str(problem) for problem in fault.problems] or [""]
    return []


@pytest.mark.untraced
@given(
    st.sampled_from(["provider", "model", "app", "rollout_plan", "route", "prompt", "x"]),
    st.dictionaries(WORDS, VALUES, max_size=8),
)
def test_any_document_is_loaded_or_told(kind, keys):
    """Whatever stands in a file, loading ends with policies or with every problem on one line."""
    text = as_yaml({"kind": kind, "name": "a", **keys})
    assert all(1 == len(problem.splitlines()) for problem in told({"a.yaml": text, "b.yaml": SMALLEST}))


@given(st.integers(0, len(SMALLEST)), st.text(max_size=3), st.integers(0, 5))
def test_a_spoilt_set_is_loaded_or_told(place, inserted, removed):
    """A half-written file never does worse than be refused."""
    text = SMALLEST[:place] + inserted + SMALLEST[place + removed :]
    assert all(1 == len(problem.splitlines()) for problem in told({"a.yaml": text}))
