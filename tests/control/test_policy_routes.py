"""Routes and applications of policy files: their values, and what is wrong between them."""

import pytest

from gateway.control.policies import ArmPolicy, ExperimentPolicy, ShadowPolicy, load
from gateway.core.app import App
from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import Range, Salt, rule_salt
from gateway.core.digest import digest
from gateway.core.error_budget import Slo
from gateway.core.errors import PolicyFault
from gateway.core.plan import Criterion, Plan, Step, blue_green_steps
from gateway.core.rule import Rule
from gateway.core.unit import UnitSource

PROVIDERS = """
kind: provider
name: p
dialect: openai
---
kind: provider
name: q
dialect: anthropic
---
kind: provider
name: g
dialect: gemini
---
kind: rollout_plan
name: careful
steps: [{percent: 5}, {percent: 100}]
"""

ROUTE = """kind: route
name: r
releases:
  "1.0": {model: p/u-2024-01-01}
  "1.1": {model: p/u-2024-02-02}
serve: "1.1"
"""


def loaded(route):
    """The policies of a set with one route file."""
    return load({"providers.yaml": PROVIDERS, "r.yaml": route})


def refusal(route):
    """What is wrong with a route file, as it is printed."""
    with pytest.raises(PolicyFault) as caught:
        loaded(route)
    return [str(problem) for problem in caught.value.problems]


def test_a_route_is_a_value():
    """Every key passes into it, in the core's units."""
    more = """
owner: us
sticky_by: [body:user]
rollout: {plan: careful, from: "1.0"}
breaker: {consecutive: 5, slow_over: 2s}
on_mismatch: rollback
fallback: ["1.0"]
shadow: {release: "1.1", percent: 10, max_body: 2KiB, timeout: 5s, daily_budget_usd: 20}
"""
    policies = loaded(ROUTE + more)
    route = policies.routes["r"]
    assert ("r", "us", "openai", "1.1", "1.0") == (
        route.name,
        route.owner,
        route.dialect,
        route.serve,
        route.rollout_from,
    )
    assert Plan("careful", (Step(percent_ppm=50_000), Step(percent_ppm=1_000_000))) == route.plan
    assert (UnitSource("body", ("user",)),) == route.sticky_by
    assert BreakerPolicy(consecutive=5, slow_over=2.0) == route.breaker
    assert ("rollback", ("1.0",)) == (route.on_mismatch, route.fallback)
    assert ShadowPolicy("1.1", 100_000, 2048, 5.0, 20.0) == route.shadow
    assert ("r.yaml:1", "r.yaml:4") == (str(route.where), str(route.releases["1.0"].where))
    assert () == policies.warnings


@pytest.mark.parametrize(
    ("rollout", "plan"),
    [
        ("", Plan.default()),
        ("rollout: careful\n", Plan("careful", (Step(percent_ppm=50_000), Step(percent_ppm=1_000_000)))),
        ('rollout: {from: "1.0"}\n', Plan.default()),
        (
            "rollout: {steps: [{percent: 50}], signals: [{metric: error_rate, max: 0.1}]}\n",
            Plan(None, (Step(percent_ppm=500_000),), (), (Criterion("error_rate", max=0.1),)),
        ),
        (
            "rollout: {strategy: blue_green, rollback_window: 1h}\n",
            Plan(None, blue_green_steps(), strategy="blue_green", rollback_window=3600.0),
        ),
        ('rollout: {strategy: blue_green, from: "1.0"}\n', Plan(None, blue_green_steps(), strategy="blue_green")),
    ],
)
def test_a_rollout_is_a_plan(rollout, plan):
    """By name, in place, or one step to 100 percent."""
    assert plan == loaded(ROUTE + rollout).routes["r"].plan


def test_rules_are_those_of_the_core():
    """Each has its place as a name, and a flag has a split of its own."""
    more = """
rules:
  - {when: {app: [local], header: {X-Beta: 1}, unit: [ada, 7]}, release: "1.0"}
  - {when: {input_chars: {over: 10, under: 20}}, release: "1.0"}
  - {when: {percent: 2.5}, release: "1.0"}
"""
    salt = Salt(rule_salt("r", 2))
    assert (
        Rule("rule 1", "1.0", frozenset({"local"}), frozenset({"ada", "7"}), {"x-beta": "1"}),
        Rule("rule 2", "1.0", input_over=10, input_under=20),
        Rule("rule 3", "1.0", share=Range(0, 25_000), salt=salt),
    ) == loaded(ROUTE + more).routes["r"].rules


def test_an_experiment_is_a_value():
    """Arms in the order of the file."""
    more = """
experiment:
  name: length
  arms: {long: {release: "1.1", percent: 50}, short: {release: "1.0", percent: 49.5}}
  primary: feedback.resolved
  secondary: [slow_rate, cost_per_request]
  over: 8s
  guardrails: [{metric: error_rate, max: 0.02}]
  for: 7d
"""
    assert (
        ExperimentPolicy(
            name="length",
            arms=(ArmPolicy("long", "1.1", 500_000), ArmPolicy("short", "1.0", 495_000)),
            control="long",
            primary="feedback.resolved",
            secondary=("slow_rate", "cost_per_request"),
            over=8.0,
            alpha=0.05,
            guardrails=(Criterion("error_rate", max=0.02),),
            seconds=604_800.0,
        )
        == loaded(ROUTE + more).routes["r"].experiment
    )


@pytest.mark.parametrize(
    ("keys", "control"),
    [
        ('arms: {a: {release: "1.0", percent: 5}, control: {release: "1.1", percent: 5}}', "control"),
        ('arms: {a: {release: "1.0", percent: 5}, b: {release: "1.1", percent: 5}}', "a"),
        ('arms: {a: {release: "1.0", percent: 5}, control: {release: "1.1", percent: 5}}, control: a', "a"),
    ],
)
def test_one_arm_is_the_control(keys, control):
    """The one that is named, or the one called so, or the first."""
    assert control == loaded(ROUTE + f"experiment: {{name: e, {keys}}}\n").routes["r"].experiment.control


def test_an_objective_is_that_of_the_core():
    """In seconds and shares; only the share of good requests must be written, and a route may have none."""
    more = "slo: {success: 0.99, period: 7d, pause_at: 6, canary_share: 0.5, min_remaining: 0, window: 6h}\n"
    assert Slo(0.99, 604_800.0, 6.0, 0.5, 0.0, 21_600.0) == loaded(ROUTE + more).routes["r"].slo
    expected = Slo(0.995, period=2_419_200.0, pause_at=3.0, canary_share=0.2, min_remaining=0.2, window=3_600.0)
    assert expected == loaded(ROUTE + "slo: {success: 0.995}\n").routes["r"].slo
    assert None is loaded(ROUTE).routes["r"].slo


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{period: 7d}", ".success is missing; add it"),
        ("{success: 99.5}", ".success: 99.5 is not a share from 0.5 to under 1; write one like 0.995"),
        ("{success: 1}", ".success: 1 is not a share from 0.5 to under 1; write one like 0.995"),
        ("{success: 0.4}", ".success: 0.4 is not a share from 0.5 to under 1; write one like 0.995"),
        ("{success: '0.9'}", ".success is '0.9', not a number; write one without quotes"),
        ("{success: 0.9, period: 30m}", ".period is '30m'; it must be at least 1h"),
        ("{success: 0.9, period: 91d}", ".period is '91d'; it must be at most 90d"),
        ("{success: 0.9, window: 59s}", ".window is '59s'; it must be at least 1m"),
        ("{success: 0.9, period: 1h, window: 2h}", ": window is longer than period; make it at most as long"),
        ("{success: 0.9, pause_at: 0}", ".pause_at is 0; it must be over 0"),
        (
            "{success: 0.6}",
            ": pause_at is 3, and even with every request failing the budget is used up 2.5 times too fast at most;"
            " lower it",
        ),
        ("{success: 0.9, canary_share: 0}", ".canary_share is 0; it must be over 0"),
        ("{success: 0.9, min_remaining: 1.5}", ".min_remaining is 1.5; it must be at most 1"),
    ],
)
def test_what_is_wrong_with_an_objective_is_told(keys, problem):
    """Each limit, and the laws between keys."""
    assert [f"r.yaml:7: route r: slo{problem}"] == refusal(f"{ROUTE}slo: {keys}\n")


def test_a_pause_may_be_at_the_very_most():
    """Every request failing at 99.5 percent is 200 times too fast, whatever floating point makes of it."""
    assert 200.0 == loaded(ROUTE + "slo: {success: 0.995, pause_at: 200}\n").routes["r"].slo.pause_at


def test_a_releases_digest_covers_what_changes_answers():
    """Model, prompt, parameters and context; not the route's own keys, nor how a number is written."""
    release = "{model: p/u-2024-01-01, params: {temperature: 0.2, n: 1}, context: {index: a}}"
    text = ROUTE.replace("{model: p/u-2024-01-01}", release)
    policies = loaded(text)
    found = policies.routes["r"].releases["1.0"]
    content = {
        "model": policies.models["u@2024-01-01"].digest,
        "prompt": None,
        "params": {"temperature": 0.2, "n": 1},
        "context": {"index": "a"},
    }
    assert digest(content) == found.digest
    same = text.replace("0.2, n: 1", "0.20, n: 1.0").replace("index: a}", "index: a}, retired: old") + "owner: us\n"
    assert found.digest == loaded(same).routes["r"].releases["1.0"].digest
    for old, new in (("0.2", "0.3"), ("index: a", "index: b"), ("u-2024-01-01", "u-2024-01-02")):
        assert found.digest != loaded(text.replace(old, new)).routes["r"].releases["1.0"].digest


def test_a_retired_release_says_why():
    """Any may be, the one that should serve too: it is how a release is taken out by a file alone."""
    releases = loaded(ROUTE.replace("u-2024-02-02", "u-2024-02-02, retired: it invents orders")).routes["r"].releases
    assert (None, "it invents orders") == (releases["1.0"].retired, releases["1.1"].retired)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('rollout: {from: "1.2"}\n', "7: route r: rollout.from: there is no release '1.2'; did you mean '1.1'?"),
        ("rollout: carefull\n", "7: route r: rollout: there is no rollout_plan 'carefull'; did you mean 'careful'?"),
        (
            "rollout:\n  plan: quick\n",
            "8: route r: rollout.plan: there is no rollout_plan 'quick'; correct it, or declare that rollout_plan",
        ),
        ("fallback: [x]\n", "7: route r: fallback.1: there is no release 'x'; correct it, or declare that release"),
        ('fallback: ["1.0", "1.0"]\n', "7: route r: fallback.2 names 1.0 a second time; remove it"),
        ("shadow: {release: x, percent: 1}\n", "7: route r: shadow.release: there is no release 'x'"),
        ("rules: [{when: {percent: 1}, release: x}]\n", "7: route r: rules.1.release: there is no release 'x'"),
        (
            "experiment: {name: e, arms: {a: {release: x, percent: 1}}}\n",
            "7: route r: experiment.arms.a.release: there is no release 'x'",
        ),
        (
            'experiment: {name: e, arms: {a: {release: "1.0", percent: 60}, b: {release: "1.1", percent: 40.5}}}\n',
            "7: route r: experiment.arms take 100.5 percent together; lower them to 100 percent at most",
        ),
        (
            'experiment: {name: e, arms: {a: {release: "1.0", percent: 1}}}\nrollout: {from: "1.0"}\n',
            "7: route r: experiment cannot run beside the rollout from 1.0 to 1.1; remove one of the two",
        ),
    ],
)
def test_what_is_wrong_with_a_route_is_told(more, problem):
    """Each reference and each law between keys, at its place."""
    (found,) = refusal(ROUTE + more)
    assert found.startswith(f"r.yaml:{problem}")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('serve: "1.1"', "serve: 1.2", "6: route r: serve: there is no release '1.2'; did you mean '1.1'? correct it"),
        (
            "p/u-2024-02-02",
            "q/v-2024-02-02",
            "5: route r: releases.1.1 speaks anthropic, and the releases before it speak openai; "
            "give the releases of each dialect a route of their own",
        ),
        (
            "p/u-2024-02-02",
            "g/v-2024-02-02",
            "5: route r: releases.1.1 speaks gemini, and the gemini wire is not served yet; "
            "name a model of another dialect",
        ),
        (
            "{model: p/u-2024-02-02}",
            "{model: p/u-2024-02-02, prompt: t@1}",
            "5: route r: releases.1.1.prompt: there is no prompt 't@1'; correct it, or declare that prompt",
        ),
        (
            "{model: p/u-2024-02-02}",
            "{model: x@1}",
            "5: route r: releases.1.1.model: there is no model 'x@1'; correct it, or declare that model",
        ),
    ],
)
def test_what_is_wrong_with_a_release_is_told(old, new, problem):
    """Each reference, and the one dialect of a route."""
    assert [f"r.yaml:{problem}"] == refusal(ROUTE.replace(old, new))


def test_an_experiment_may_stand_beside_a_rollout_that_is_over():
    """The rollout's end is what serves."""
    more = 'experiment: {name: e, arms: {a: {release: "1.0", percent: 1}}}\nrollout: {from: "1.1"}\n'
    assert loaded(ROUTE + more).routes["r"].experiment is not None


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        (
            'fallback: ["1.1"]\n',
            "fallback.1 is 1.1, which the route serves anyway; name releases that can answer in its place",
        ),
        (
            'rules: [{when: {app: [local, beta]}, release: "1.0"}]\n',
            "rules.1.when.app.2: no app 'beta' is declared, so it never calls; declare it, or correct the name",
        ),
        (
            'experiment: {name: e, arms: {a: {release: "1.0", percent: 1}}}\n',
            "experiment.arms has one arm, so there is nothing to compare; add an arm to compare it with",
        ),
    ],
)
def test_what_is_hardly_meant_is_warned_of(more, warning):
    """It is served all the same."""
    assert [f"r.yaml:7: route r: {warning}"] == [str(found) for found in loaded(ROUTE + more).warnings]


KEY = "ab" * 32
APP = f"---\nkind: app\nname: desk\nowner: us\nroutes: [r]\nkeys:\n- sha256: {KEY}\n- {{sha256: '{'0' * 64}'}}\n"


def test_applications_are_found_by_the_digest_of_a_key():
    """Each of its keys leads to it."""
    policies = loaded(ROUTE + APP)
    app = App("desk", frozenset({"r"}), may_force_release=False, owner="us")
    assert {bytes.fromhex(KEY): app, bytes(32): app} == policies.apps
    assert frozenset({"desk"}) == policies.app_names


def test_an_application_without_routes_may_call_all():
    """None stands for every route."""
    policies = loaded(ROUTE + APP.replace("routes: [r]\n", "may_force_release: true\n"))
    app = policies.apps[bytes(32)]
    assert (None, True) == (app.routes, app.may_force_release)


def test_an_application_calls_routes_that_there_are():
    """A route that is missing is told."""
    assert ["r.yaml:11: app desk: routes.1: there is no route 'rr'; did you mean 'r'? correct it"] == refusal(
        ROUTE + APP.replace("[r]", "[rr]")
    )


def test_a_key_belongs_to_one_application():
    """In whatever case its digest is written."""
    other = f"---\nkind: app\nname: other\nkeys: [{{sha256: {KEY.upper()}}}]\n"
    assert [
        "r.yaml:18: app other: keys.1 is the key that stands at r.yaml:13 for app desk; "
        "give every application keys of its own"
    ] == refusal(ROUTE + APP + other)


def test_an_application_may_have_no_key_in_the_files():
    """Its keys may all be issued; it is known by its name either way."""
    policies = loaded(ROUTE + "---\nkind: app\nname: a\nkeys: []\n")
    assert ((), {}, "a") == (policies.warnings, policies.apps, policies.callers["a"].name)
