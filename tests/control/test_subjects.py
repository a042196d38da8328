"""What is signed: any change of what a reviewer judges is another digest."""

from dataclasses import replace

import pytest

from gateway.control.subjects import policy_changes
from gateway.core.approval import REMOVED
from gateway.core.approval_policy import ApprovalPolicy
from tests.control.approval_world import governed, policy
from tests.control.serving_world import files, route, serving

pytestmark = pytest.mark.anyio

GOVERNS_ROUTE = policy(more="governs_route: true")
WHEN = '{app: [a], unit: [u], header: {x-beta: "1"}, input_chars: {over: 3}, percent: 2}'
RULE = f'rules: [{{when: {WHEN}, release: "1.0.0"}}]'
MODEL = """kind: model
name: m
provider: sim
versions: {"1": {upstream_model: m-2026-01-01%s}}
"""
MODELLED = 'kind: route\nname: desk\nreleases: {"1.0.0": {model: m@1}}\nserve: "1.0.0"\n'


async def digest_of(wanted, environment="default"):
    """The digest of what is signed of the first release, and what it behaves by."""
    async with serving(wanted) as process:
        *_, considered = process.serving.considered()
        considered = replace(considered, environment=environment)
        subject = considered.subject(considered.policies.routes["desk"], "1.0.0")
        return subject.digest, considered.behaviour(subject)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (governed(), governed(more="owner: ada")),
        (governed(), governed(approval=policy(requires="{risk: 2}"))),
        (governed(), files(route())),
        (files(MODELLED, MODEL % ""), files(MODELLED, MODEL % ", limitations: [lies]")),
        (
            files(MODELLED, MODEL % ", evaluations: [{name: e, metric: m, value: 1, n: 2}]"),
            files(MODELLED, MODEL % ", evaluations: [{name: e, metric: m, value: 0.5, n: 2}]"),
        ),
    ],
    ids=["release facts", "policy", "no policy", "model facts", "evaluation"],
)
async def test_what_is_judged_beside_behaviour_is_signed_too(one, other):
    """It dismisses what was signed; what serves behaves as before, and goes on."""
    (first, behaved), (second, behaves) = await digest_of(one), await digest_of(other)
    assert first != second
    assert behaved == behaves


@pytest.mark.parametrize(
    "more",
    [
        "breaker: {consecutive: 9}",
        "on_mismatch: rollback",
        "sticky_by: [conversation]",
        "slo: {success: 0.9, pause_at: 2}",
        'fallback: ["1.1.0"]',
        'shadow: {release: "1.1.0", percent: 1}',
        'experiment: {name: x, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}',
        "rollout: {steps: [{percent: 100}], guardrails: [{metric: error_rate, max: 0.5}]}",
        RULE,
    ],
)
async def test_what_a_route_does_is_signed_where_a_policy_says_so(more):
    """Every part of it; elsewhere none."""
    assert await digest_of(governed(approval=GOVERNS_ROUTE)) != await digest_of(
        governed(approval=GOVERNS_ROUTE, more=more)
    )
    assert await digest_of(governed()) == await digest_of(governed(more=more))


async def test_an_approval_is_of_one_environment():
    """Another is another subject."""
    one, other = await digest_of(governed()), await digest_of(governed(), "production")
    assert one[0] != other[0]


async def test_changes_of_policies_in_force_are_told_and_new_ones_are_none():
    """By name: what would be changed, and what would be removed."""
    async with serving(governed(tail=(policy("new"),))) as process:
        declared = process.serving.policies
        in_force = [
            declared.approval_policies["prod"],
            ApprovalPolicy("gone", {"x": 1}),
            ApprovalPolicy("new", {"x": 1}),
        ]
        found = {each.name: each.version for each in policy_changes(in_force, declared, "default")}
        assert {"gone": REMOVED, "new": declared.approval_policies["new"].digest} == found


@pytest.mark.parametrize("subject", ["desk/1.0.0", "m@1"])
async def test_the_cards_of_a_release_and_of_its_model_are_signed(subject):
    """A card that says something else now was not what was read."""
    wanted = files(MODELLED, MODEL % "")
    digests = set()
    for text in (None, "# Card\n\nOne.\n", "# Card\n\nTwo.\n"):
        front = f"---\ngovernance: {{subject: {subject}}}\n---\n"
        digests.add((await digest_of(wanted if text is None else {**wanted, "a.card.md": front + text}))[0])
    assert 3 == len(digests)
