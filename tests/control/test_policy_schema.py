"""From a document to the keys of its kind: exact messages for what is wrong, and the schema for editors."""

import pytest
from jsonschema import Draft202012Validator, validate
from jsonschema.exceptions import ValidationError

from gateway.control.policy_schema import json_schema, meant, read_keys, shown_place
from gateway.control.policy_text import plain, read_documents
from gateway.control.route_documents import RouteDocument

ROUTE = 'kind: route\nname: r\nreleases: {"1": {model: m@1}}\nserve: "1"\n'
PROVIDER = "kind: provider\nname: p\ndialect: openai\n"
PLAN = "kind: rollout_plan\nname: c\nsteps: [{percent: 100}]\n"
PROMPT = "kind: prompt\nname: t\nversion: 1.0.0\ntext: hello\n"
MODEL = 'kind: model\nname: m\nprovider: p\nversions: {"1": {upstream_model: u-001}}\n'
APP = "kind: app\nname: a\nkeys: []\n"
OPERATOR = "kind: operator\nname: a\n"
APPROVES = "kind: approval_policy\nname: a\nrequires: {risk: 1}\n"
PROVIDES = "kind: identity_provider\nname: i\nissuer: https://id.test\naudience: pinion\njwks_file: keys.json\n"


def keys_of(text):
    """The keys of a single document, or its problems."""
    (document,) = read_documents("a.yaml", text).documents
    return read_keys(document)


def told(text):
    """The problems of a single document as they are printed."""
    found = keys_of(text)
    assert isinstance(found, list)
    return [str(problem) for problem in found]


@pytest.mark.parametrize("text", [ROUTE, PROVIDER, PLAN, PROMPT, MODEL, APP, OPERATOR, PROVIDES, APPROVES])
def test_the_least_of_each_kind_is_enough(text):
    """Everything else has a default, and the schema for editors agrees."""
    assert not isinstance(keys_of(text), list)
    validate(plain(read_documents("a.yaml", text.replace(": 1.0.0", ': "1.0.0"')).documents[0].value), json_schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\n",
            "a.yaml:1: the document has no kind; write one of provider, model, dataset, app, rollout_plan, route, "
            "prompt, operator, identity_provider, signing_key, approval_policy",
        ),
        ("name: a\nkind: rute\n", "a.yaml:2: there is no kind 'rute'; did you mean 'route'? correct it"),
        (
            "kind: [a]\n",
            "a.yaml:1: there is no kind a list; write one of provider, model, dataset, app, rollout_plan, route, "
            "prompt, operator, identity_provider, signing_key, approval_policy",
        ),
        ("kind: app\nkeys: []\n", "a.yaml:1: this app: name is missing; add it"),
        (
            ROUTE + "sreve: 1\n",
            "a.yaml:5: unknown key 'sreve' in route r; did you mean 'serve'? correct it or remove it",
        ),
        (
            APP + "zzz: 1\n",
            "a.yaml:4: unknown key 'zzz' in app a; remove it; the keys here are kind, name, owner, keys, routes, "
            "data_classes, segment, may_force_release, limits",
        ),
        (
            'kind: route\nname: r\nserve: "1"\nreleases:\n  "1":\n    model: m@1\n    parms: {}\n',
            "a.yaml:7: unknown key 'parms' in releases.1 of route r; did you mean 'params'? correct it or remove it",
        ),
        (
            ROUTE + "rules:\n- when: {app: [a]}\n  release: 1\n- when:\n    percnt: 5\n  release: 1\n",
            "a.yaml:9: unknown key 'percnt' in rules.2.when of route r; did you mean 'percent'? "
            "correct it or remove it",
        ),
        (
            ROUTE + "rollout: {form: 1}\n",
            "a.yaml:5: unknown key 'form' in rollout of route r; did you mean 'from'? correct it or remove it",
        ),
        (ROUTE + "owner:\n", "a.yaml:5: route r: owner has no value; write one, or remove the key"),
        (ROUTE + "fallback: [~]\n", "a.yaml:5: route r: fallback.1 has no value; write one, or remove the key"),
        (
            PROVIDER + "retries: '1'\n",
            "a.yaml:4: provider p: retries is '1', not a whole number; write one without quotes or decimals",
        ),
        (
            PROVIDER + "retries: 1.5\n",
            "a.yaml:4: provider p: retries is 1.5, not a whole number; write one without quotes or decimals",
        ),
        (
            PROVIDER + "retries: true\n",
            "a.yaml:4: provider p: retries is true, not a whole number; write one without quotes or decimals",
        ),
        (PROVIDER + "retries: 6\n", "a.yaml:4: provider p: retries is 6; it must be at most 5"),
        (
            PROVIDER + "dialect_: x\nbase_url: 3\n",
            "a.yaml:5: provider p: base_url is 3, not text; write text, in quotes where it looks like something else",
        ),
        (
            PROVIDER + "timeouts: 5s\n",
            "a.yaml:4: provider p: timeouts is '5s', not a set of keys; write its keys, indented below it",
        ),
        (PROVIDER + "timeouts: {idle: 0s}\n", "a.yaml:4: provider p: timeouts.idle is '0s'; it must be over 0s"),
        (
            "kind: provider\nname: p\ndialect: opena\n",
            "a.yaml:3: provider p: dialect is 'opena'; write 'openai', 'anthropic' or 'gemini'",
        ),
        (
            PROVIDER + "credential: {env: A, file: /b}\n",
            "a.yaml:4: provider p: credential: it takes one of env, file, and env and file are "
            "given; write exactly one",
        ),
        (
            PROVIDER + "credential: sk-123\n",
            "a.yaml:4: provider p: credential is text, not a set of keys; write its keys, indented below it",
        ),
        (
            PROVIDER + "credential: {}\n",
            "a.yaml:4: provider p: credential: it takes one of env, file, and none of them is given; write exactly one",
        ),
        (
            APP + "may_force_release: yes\n",
            "a.yaml:4: app a: may_force_release is 'yes', not true or false; write one of the two",
        ),
        (
            APP + "routes: r\n",
            "a.yaml:4: app a: routes is 'r', not a list; write it in brackets, or one item a line after a dash",
        ),
        (
            "kind: model\nname: m\nprovider: p\nversions: {}\n",
            "a.yaml:4: model m: versions is empty; write at least one, or remove the key where it may be left out",
        ),
        (
            "kind: model\nname: m\nprovider: p\nversions: {a b: {upstream_model: u-001}}\n",
            "a.yaml:4: model m: versions.a b: 'a b' is not a version; write one like 1.0.0 or "
            "2024-08-06, of at most 64 "
            "letters, digits and . + - _",
        ),
        (
            'kind: model\nname: m\nprovider: p\nversions: {"1": {upstream_model: u-001, '
            "price: {input: -1, output: x}}}\n",
            "a.yaml:4: model m: versions.1.price.input is -1; it must be at least 0\n"
            "a.yaml:4: model m: versions.1.price.output is 'x', not a number; write one without quotes",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{hold: 1m}]"),
            "a.yaml:3: rollout_plan c: steps.1: it takes one of percent, shadow, and none of them "
            "is given; write exactly one",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{percent: 5}, {percent: 4}]"),
            "a.yaml:3: rollout_plan c: steps: the percents fall from one step to the next; write them rising",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{percent: 5}, {shadow: 4}]"),
            "a.yaml:3: rollout_plan c: steps: a shadow step follows a percent step; put the shadow steps first",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{shadow: 4}]"),
            "a.yaml:3: rollout_plan c: steps: no step has a percent, so the candidate would never "
            "serve; add {percent: 100}",
        ),
        (
            PLAN + "guardrails: [{metric: errors, max: 1}]\n",
            "a.yaml:4: rollout_plan c: guardrails.1.metric: 'errors' is not a metric; write one of cost_per_request, "
            "error_rate, schema_valid, slow_rate, tokens_per_request, feedback.NAME",
        ),
        (
            PLAN + "signals: [{metric: feedback.Resolved, max_delta: 0.1}]\n",
            "a.yaml:4: rollout_plan c: signals.1.metric: 'feedback.Resolved' is not a metric; write one of "
            "cost_per_request, error_rate, schema_valid, slow_rate, tokens_per_request, feedback.NAME",
        ),
        (
            PLAN + "guardrails: [{metric: error_rate}]\n",
            "a.yaml:4: rollout_plan c: guardrails.1: it has no limit; write one of max_delta, max_ratio, max, min",
        ),
        (
            PLAN + "signals: [{metric: slow_rate, max: 1}]\n",
            "a.yaml:4: rollout_plan c: signals.1: slow_rate and over go together; write both, as in "
            "{metric: slow_rate, over: 8s, max: 0.1}",
        ),
        (
            PLAN + "guardrails: [{metric: error_rate, max_delta: -0.1}]\n",
            "a.yaml:4: rollout_plan c: guardrails.1.max_delta is -0.1; it must be at least 0",
        ),
        (
            PLAN + "signals: [{metric: tokens_per_request, max_ratio: 0}]\n",
            "a.yaml:4: rollout_plan c: signals.1.max_ratio is 0; it must be over 0",
        ),
        (
            PLAN.replace("steps: [{percent: 100}]\n", ""),
            "a.yaml:1: rollout_plan c: it has no steps; write some, as in steps: [{percent: 5, hold: 10m}, "
            "{percent: 100}]",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[]") + "strategy: blue_green\n",
            "a.yaml:3: rollout_plan c: steps: no step has a percent, so the candidate would never "
            "serve; add {percent: 100}",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{percent: 5, bake: 1h}, {percent: 100}]"),
            "a.yaml:3: rollout_plan c: steps: a step before the last has a bake; write hold there, and bake on the "
            "last step",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{shadow: 5, bake: 1h}, {percent: 100, bake: 1h}]"),
            "a.yaml:3: rollout_plan c: steps: a step before the last has a bake; write hold there, and bake on the "
            "last step",
        ),
        (
            PLAN.replace("100", "100, min_units: 0"),
            "a.yaml:3: rollout_plan c: steps.1.min_units is 0; it must be at least 1",
        ),
        (
            PLAN + "strategy: rolling\n",
            "a.yaml:4: rollout_plan c: strategy is 'rolling'; write 'canary' or 'blue_green'",
        ),
        (
            PLAN.replace("[{percent: 100}]", "[{percent: 50}, {percent: 100}]") + "strategy: blue_green\n",
            "a.yaml:1: rollout_plan c: blue_green switches once, to 100 percent; write shadow steps and one "
            "{percent: 100}",
        ),
        (
            ROUTE + "rollout: {strategy: blue_green, steps: [{shadow: 5}, {percent: 50}]}\n",
            "a.yaml:5: route r: rollout: blue_green switches once, to 100 percent; write shadow steps and one "
            "{percent: 100}",
        ),
        (PLAN + "alpha: 0\n", "a.yaml:4: rollout_plan c: alpha is 0; it must be at least 0.0001"),
        (PLAN + "alpha: 0.51\n", "a.yaml:4: rollout_plan c: alpha is 0.51; it must be at most 0.5"),
        (PLAN + "alpha: '0.1'\n", "a.yaml:4: rollout_plan c: alpha is '0.1', not a number; write one without quotes"),
        (
            PLAN + "rollback_window: 31d\n",
            "a.yaml:4: rollout_plan c: rollback_window is '31d'; it must be at most 30d",
        ),
        (
            PLAN + "on_inconclusive: wait\n",
            "a.yaml:4: rollout_plan c: on_inconclusive is 'wait'; write 'hold', 'promote' or 'rollback'",
        ),
        (
            PLAN + "on_no_data: hold\n",
            "a.yaml:4: rollout_plan c: on_no_data is 'hold', not a set of keys; write its keys, indented below it",
        ),
        (PLAN + "on_no_data: {after: 1h}\n", "a.yaml:4: rollout_plan c: on_no_data.do is missing; add it"),
        (
            PLAN + "on_no_data: {after: 0s, do: promote}\n",
            "a.yaml:4: rollout_plan c: on_no_data.after is '0s'; it must be over 0s\n"
            "a.yaml:4: rollout_plan c: on_no_data.do is 'promote'; write 'hold' or 'rollback'",
        ),
        (
            ROUTE + "rollout: {plan: c, strategy: blue_green, on_no_data: {do: hold}}\n",
            "a.yaml:5: route r: rollout: it names a plan and has strategy and on_no_data of its own; keep one of the "
            "two",
        ),
        (
            ROUTE + "rollout: {alpha: 0.1, from: 1}\n",
            "a.yaml:5: route r: rollout: it has alpha without steps; write the steps, or name a plan",
        ),
        (
            ROUTE.replace("m@1", "m@1, retired: ''"),
            "a.yaml:3: route r: releases.1.retired: '' is not one line of text; write 1 to 500 characters on one line",
        ),
        (
            ROUTE.replace("m@1", "m@1, retired: true"),
            "a.yaml:3: route r: releases.1.retired is true, not text; write text, in quotes where it looks like "
            "something else",
        ),
        (
            ROUTE + "rollout: {plan: c, steps: [{percent: 100}]}\n",
            "a.yaml:5: route r: rollout: it names a plan and has steps of its own; keep one of the two",
        ),
        (
            ROUTE + "rollout: {guardrails: [], signals: []}\n",
            "a.yaml:5: route r: rollout: it has guardrails and signals without steps; write the steps, or name a plan",
        ),
        (
            ROUTE + "rollout: {steps: [{percent: 5}, {percent: 4}]}\n",
            "a.yaml:5: route r: rollout.steps: the percents fall from one step to the next; write them rising",
        ),
        (ROUTE + "breaker: {window: 500ms}\n", "a.yaml:5: route r: breaker.window is '500ms'; it must be at least 1s"),
        (ROUTE + "breaker: {failure_rate: 2}\n", "a.yaml:5: route r: breaker.failure_rate is 2; it must be at most 1"),
        (
            ROUTE + "breaker: {open: 10m}\n",
            "a.yaml:5: route r: breaker: max_open is shorter than open; make it at least as long",
        ),
        (ROUTE + "on_mismatch: alarm\n", "a.yaml:5: route r: on_mismatch is 'alarm'; write 'count' or 'rollback'"),
        (
            ROUTE + "rules: [{when: {}, release: 1}]\n",
            "a.yaml:5: route r: rules.1.when: it has no condition; write one of app, unit, header, "
            "input_chars, percent",
        ),
        (
            ROUTE + "rules: [{when: {input_chars: {}}, release: 1}]\n",
            "a.yaml:5: route r: rules.1.when.input_chars: it takes over, under or both, and none is given; write one",
        ),
        (
            ROUTE + "rules: [{when: {input_chars: {over: 5, under: 6}}, release: 1}]\n",
            "a.yaml:5: route r: rules.1.when.input_chars: no length is over the one and under the other; "
            "correct the numbers",
        ),
        (
            PROMPT + "input: {a: text}\n",
            "a.yaml:5: prompt t: input.a is 'text'; write 'string', 'number', 'integer' or 'boolean'",
        ),
        (
            PROMPT.replace("hello", '""'),
            "a.yaml:4: prompt t: text is empty; write at least one, or remove the key where it may be left out",
        ),
        (
            "kind: app\nname: 'A; B'\nkeys: []\n",
            "a.yaml:2: app A; B: name: 'A; B' is not a name; use a to z, 0 to 9, dot, dash and underscore, "
            "a letter or digit first, at most 128",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(text, message):
    """Each message names the document, the place and what to do, with the line of the place."""
    assert set(message.splitlines()) <= set(told(text))


def test_every_problem_of_a_document_is_told_once():
    """One reading gives them all, and a key without a value is not also of the wrong kind."""
    assert [
        "a.yaml:2: provider p: name has no value; write one, or remove the key".replace("provider p", "this provider"),
        "a.yaml:3: this provider: dialect is 'x'; write 'openai', 'anthropic' or 'gemini'",
        "a.yaml:4: unknown key 'y' in this provider; remove it; the keys here are kind, name, dialect, base_url, "
        "credential, timeouts, retries, max_connections, ca_file, proxy, transport, http2, client_certificate",
    ] == told("kind: provider\nname:\ndialect: x\ny: 1\n")


def test_null_may_stand_in_parameters_and_schemas():
    """There it is a value of the request or of the JSON Schema."""
    route = keys_of(ROUTE.replace("m@1", "m@1, params: {stop: ~, a: [~]}"))
    assert isinstance(route, RouteDocument)
    assert {"stop": None, "a": [None]} == route.releases["1"].params
    assert not isinstance(keys_of(PROMPT + "output_schema: {const: ~}\n"), list)


@pytest.mark.parametrize(
    ("name", "guess"),
    [("stepz", "did you mean 'steps'? correct it"), ("qqq", None), (3, None), ("s" * 200, None)],
)
def test_a_near_miss_is_guessed(name, guess):
    """A guess is offered for a name that is close to a known one."""
    assert guess == meant(name, ["steps", "signals"])


def test_items_of_lists_are_counted_from_one():
    """People count so."""
    assert "rules.1.when.app.2" == shown_place(("rules", 0, "when", "app", 1))


def test_the_schema_for_editors_is_one_of_its_draft():
    """It is a JSON Schema itself, with a description for every key but kind, name, and what a rule is made of."""
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]
    assert 11 == len(schema["oneOf"])
    silent = {
        name
        for definition in schema["$defs"].values()
        for name, key in definition["properties"].items()
        if "description" not in key and "$ref" not in key
    }
    assert {"kind", "name", "version", "serve", "release"} >= silent
    assert "null" not in str(schema)


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "rute", "name": "a"},
        {"kind": "route", "name": "a"},
        {"kind": "provider", "name": "a", "dialect": "openai", "retries": "3"},
        {"kind": "provider", "name": "a", "dialect": "openai", "colour": "red"},
        {"kind": "provider", "name": "a", "dialect": "openai", "timeouts": {"idle": "5 seconds"}},
    ],
)
def test_the_schema_for_editors_refuses_what_check_refuses(document):
    """An editor marks unknown kinds and keys, missing keys and wrong forms."""
    with pytest.raises(ValidationError):
        validate(document, json_schema())
