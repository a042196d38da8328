"""Admission through the whole of serving: what is not approved does not serve, however it would come."""

import asyncio
from dataclasses import replace

import pytest

from gateway.control.terms import Terms
from gateway.core.errors import PolicyFault
from tests.control.approval_world import approve, excepted, governed, policy, subject_of
from tests.control.serving_world import ADA, Store, files, rolling, route, serving

pytestmark = pytest.mark.anyio

ANCHORED = Terms(anchored=True)


async def adopted(process):
    """Have a policy govern a route whose release served before."""
    reload = await process.serving.reload(governed())
    assert reload.accepted
    return reload


async def test_a_policy_may_be_introduced_while_a_release_serves():
    """It goes on, with a warning that says it could not begin now."""
    async with serving(files(route())) as process:
        reload = await adopted(process)
        assert ["prod"] == [each.name for each in process.store.disk.recorded.governance.policies]
        assert "1.0.0" not in process.desk.out
        said = [str(each) for each in reload.warnings]
        assert any(
            "all.yaml:8: route desk: serve names 1.0.0, which goes on serving in default: it is not approved; "
            "pinion release request desk/1.0.0" in each
            for each in said
        )


async def test_a_candidate_that_waits_has_not_served_when_a_policy_comes():
    """Its rollout was held, so it met nobody: the policy is taken once it is approved, and a start leaves it out."""
    waiting = 'rollout: {steps: [{percent: 100}], from: "1.0.0"}'
    store = Store()
    async with serving(files(route(serve="1.1.0", more=waiting)), store) as process:
        assert "held" == process.live.record_of("desk").rollout.state.value
        reload = await process.serving.reload(governed("1.1.0", more=waiting))
        assert any("serve names 1.1.0, which may not begin" in each.problem for each in reload.problems)
    async with serving(governed("1.1.0", more=waiting), store) as process:
        assert process.desk.out["1.1.0"].startswith("unapproved: nothing admits it to default")
        assert "1.0.0" not in process.desk.out
        await approve(process, subject_of(process, "1.1.0"))
        assert (await process.serving.reload(governed("1.1.0", more=waiting))).accepted
        assert "1.1.0" not in process.desk.out


async def test_a_reload_that_would_serve_an_unapproved_release_is_refused():
    """With the file, the line and the remedy; the last set goes on. Once it is approved, it is taken by itself."""
    async with serving(files(route())) as process:
        await adopted(process)
        wanted = governed("1.1.0")
        reload = await process.serving.reload(wanted)
        assert [
            "all.yaml:8: route desk: serve names 1.1.0, which may not begin to serve in default: it is not approved; "
            "pinion release request desk/1.1.0"
        ] == [str(each) for each in reload.problems]
        assert not await process.serving.follow()
        await approve(process, subject_of(process, "1.1.0"))
        assert await process.serving.follow()
        assert (await process.serving.reload(wanted)).accepted
        assert "1.1.0" == process.live.record_of("desk").rollout.candidate
        assert "1.1.0" not in process.desk.out


@pytest.mark.parametrize(
    "more",
    [
        'fallback: ["1.1.0"]',
        'rules: [{when: {app: [anyone]}, release: "1.1.0"}]',
        'shadow: {release: "1.1.0", percent: 1}',
        'experiment: {name: x, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}',
    ],
)
async def test_no_place_of_a_route_is_a_way_around(more):
    """Fallback, rule, shadow and arm expose as much as serve does."""
    async with serving(files(route())) as process:
        await adopted(process)
        reload = await process.serving.reload(governed(more=more))
        assert not reload.accepted
        assert all("1.1.0, which may not begin" in each.problem for each in reload.problems)


async def test_a_start_leaves_out_what_is_not_approved():
    """There is no other set to go on with: it says so, serves the rest, and takes it in once it is approved."""
    async with serving(governed(tail=(route("free"),), approval=policy(more="routes: [desk]"))) as process:
        assert process.desk.out["1.0.0"].startswith("unapproved: nothing admits it to default")
        assert {} == process.live.current.routes["free"].out
        await approve(process, subject_of(process, "1.0.0"))
        assert await process.serving.follow()
        files_again = governed(tail=(route("free"),), approval=policy(more="routes: [desk]"))
        assert (await process.serving.reload(files_again)).accepted
        assert "1.0.0" not in process.desk.out


async def test_a_start_begins_no_rollout_to_what_is_not_approved():
    """What served goes on; the rollout begins once the release is approved."""
    store = Store()
    async with serving(files(route()), store) as process:
        await adopted(process)
    wanted = governed("1.1.0")
    async with serving(wanted, store) as process:
        assert process.live.record_of("desk").rollout is None
        assert "1.0.0" == process.desk.stable.version
        await approve(process, subject_of(process, "1.1.0"))
        assert (await process.serving.reload(wanted)).accepted
        assert "1.1.0" == process.live.record_of("desk").rollout.candidate


async def test_a_restart_and_another_gateway_see_the_same():
    """What is admitted is in the store, not in a process."""
    store = Store()
    async with serving(files(route()), store) as process:
        await adopted(process)
        before = process.desk.out
    async with serving(governed(), store) as one, serving(governed(), store) as other:
        assert before == one.desk.out == other.desk.out


async def test_a_deployment_tells_on_whose_approval_it_serves():
    """None where nothing governed it when it began."""
    async with serving(files(route())) as process:
        deploying = asyncio.ensure_future(process.deployments.run())
        await process.deployments.settled(60)
        await adopted(process)
        wanted = governed("1.1.0")
        await process.serving.reload(wanted)
        await approve(process, subject_of(process, "1.1.0"))
        await process.serving.reload(wanted)
        await asyncio.sleep(0)
        assert await process.deployments.settled(60)
        deploying.cancel()
        found = {each.release: each.approval for each in process.store.disk.deployments}
        assert {"1.0.0": None, "1.1.0": process.store.disk.requests[-1].id} == found


async def test_an_approval_of_one_version_never_covers_another():
    """Nor another environment."""
    async with serving(files(route())) as process:
        await adopted(process)
        await process.serving.reload(governed("1.1.0"))
        await approve(process, subject_of(process, "1.1.0"))
        assert not (await process.serving.reload(governed("1.2.0"))).accepted
        subject = replace(subject_of(process, "1.2.0"), environment="elsewhere")
        await approve(process, subject)
        assert not (await process.serving.reload(governed("1.2.0"))).accepted


async def test_an_approval_that_has_aged_lets_nothing_begin():
    """What serves on it goes on, and says so."""
    aging = policy(more="max_age: 1h")
    async with serving(files(route())) as process:
        assert (await process.serving.reload(governed(approval=aging))).accepted
        await process.serving.reload(governed("1.1.0", approval=aging))
        await approve(process, subject_of(process, "1.1.0"))
        process.clock.now += 3600.0
        reload = await process.serving.reload(governed("1.1.0", approval=aging))
        assert "its approval is too old" in reload.problems[0].problem


async def test_a_weaker_guardrail_is_not_what_was_signed():
    """Where a policy governs the route, the route's plan is part of every release's approval."""
    strict = policy(more="governs_route: true")
    async with serving(files(route())) as process:
        assert (await process.serving.reload(governed(approval=strict))).accepted
        reload = await process.serving.reload(governed(approval=strict, more="on_mismatch: rollback"))
        assert not reload.accepted
        await approve(process, subject_of(process, "1.0.0"))
        assert (await process.serving.reload(governed(approval=strict, more="on_mismatch: rollback"))).accepted


@pytest.mark.parametrize("after", [policy(requires="{other: 1}"), None], ids=["changed", "removed"])
async def test_what_governs_is_governed(after):
    """A policy in force is changed or removed only by an approval under itself."""
    async with serving(files(route())) as process:
        await adopted(process)
        wanted = files(route()) if after is None else governed(approval=after)
        reload = await process.serving.reload(wanted)
        (problem,) = reload.problems
        assert "approval policy prod, which is in force, and that is not approved" in problem.problem
        assert "pinion release request --policy prod" in problem.remedy
        (lack,) = process.serving._refused.lacks
        await approve(process, lack.subject)
        assert (await process.serving.reload(wanted)).accepted
        in_force = process.store.disk.recorded.governance.policies
        assert ([] if after is None else [{"other": 1}]) == [each.requires for each in in_force]


async def test_a_start_does_not_drop_a_policy_either():
    """The one in force stays, whatever the files say."""
    store = Store()
    async with serving(files(route()), store) as process:
        await adopted(process)
    async with serving(files(route(serve="1.1.0")), store) as process:
        assert ["prod"] == [each.name for each in process.live.state.governance.policies]
        assert "1.1.0" in process.desk.out


async def test_another_policy_may_be_added_since_it_only_asks_for_more():
    """Both are in force together."""
    async with serving(files(route())) as process:
        await adopted(process)
        assert (await process.serving.reload(governed(tail=(policy("more", "{security: 1}"),)))).accepted
        assert ["more", "prod"] == [each.name for each in process.live.state.governance.policies]


async def test_a_route_does_not_escape_by_another_tier():
    """The admissions of its releases know which policies have governed it."""
    high = policy(more="risk_tiers: [high]")
    async with serving(files(route()), terms=ANCHORED) as process:
        assert (await process.serving.reload(governed(approval=high, more="risk_tier: high"))).accepted
        reload = await process.serving.reload(governed("1.1.0", approval=high))
        assert "route desk is of risk_tier minimal now, where approval policy prod governs it no more" in str(
            reload.problems
        )


async def test_a_route_of_tier_high_without_a_policy_is_refused():
    """In any environment, at a start too."""
    with pytest.raises(PolicyFault, match="no approval policy governs it in environment default"):
        async with serving(files(route(more="risk_tier: high")), terms=ANCHORED):
            pass


async def test_a_route_that_is_gone_is_nobodys_escape():
    """What was admitted of it is not asked any more."""
    high = policy(more="risk_tiers: [high]")
    async with serving(files(route()), terms=ANCHORED) as process:
        assert (await process.serving.reload(governed(approval=high, more="risk_tier: high"))).accepted
        assert (await process.serving.reload(files(route("sales"), high))).accepted


async def test_a_route_of_tier_high_is_for_gateways_whose_trail_is_kept_elsewhere():
    """The set that asks for it is refused with both options; a development server is asked for nothing."""
    high = governed(approval=policy(more="risk_tiers: [high]"), more="risk_tier: high")
    async with serving(files(route())) as process:
        (problem,) = (await process.serving.reload(high)).problems
        assert problem.problem.startswith("route desk is of risk_tier high, which takes an audit trail that is signed")
        assert "start the gateway with --audit-key FILE and --audit-anchor ANCHOR" == problem.remedy
    async with serving(high, terms=Terms(dev=True)) as process:
        assert process.serving.last_reload.accepted


async def test_an_exception_admits_until_it_ends():
    """A rollout that rests on it is rolled back then, since nothing else admits its candidate."""
    async with serving(files(route())) as process:
        await adopted(process)
        wanted = {**rolling("1.1.0"), "p.yaml": policy()}
        await process.serving.reload(wanted)
        await excepted(process, subject_of(process, "1.1.0"), process.clock.wall() + 60.0)
        assert (await process.serving.reload(wanted)).accepted
        assert process.weight > 0
        process.clock.now += 60.0
        process.live.swap_all()
        assert process.desk.out["1.1.0"].startswith("unapproved")


async def test_a_revoked_release_is_admitted_no_more():
    """Whatever was approved."""
    async with serving(files(route())) as process:
        await adopted(process)
        assert (
            process.live.state.governance.without_admissions("desk", "1.0.0").admission_of(("default", "desk", "1.0.0"))
            is None
        )


def admitted_in(process):
    """What the trail says of admissions: the release, and on whose word."""
    found = [act for act in process.store.disk.acts if act.action == "release.admit"]
    return [(f"{act.target.id}/{act.target.version}", act.details.get("governed_by")) for act in found]


async def test_what_begins_to_be_admitted_though_nothing_governs_it_is_told():
    """Once, where approvals are asked for at all; where they are not, that it serves is told."""
    mine = policy(more="routes: [desk]")
    async with serving(files(route(), route("sales"))) as process:
        assert (await process.serving.reload(files(route(), route("sales"), mine))).accepted
        assert [] == admitted_in(process)
        served = [act.target for act in process.store.disk.acts if act.action == "version.serve"]
        release = next(each for each in served if (each.kind, each.id) == ("release", "sales"))
        assert ("1.0.0", process.live.state.releases["sales", "1.0.0"].digest) == (release.version, release.digest)
        wanted = files(route(), route("sales", serve="1.1.0"), route("new"), mine)
        assert (await process.serving.reload(wanted)).accepted
        assert [("sales/1.1.0", "nothing"), ("new/1.0.0", "nothing")] == admitted_in(process)
        admitted = next(act for act in process.store.disk.acts if act.action == "release.admit")
        assert subject_of(process, "1.1.0", "sales").digest == admitted.target.digest
        assert (await process.serving.reload(wanted)).accepted
        assert 2 == len(admitted_in(process))


async def test_what_is_no_longer_governed_is_told():
    """Once the policy is removed, which was approved, what it governed serves on nobody's word."""
    async with serving(files(route())) as process:
        await adopted(process)
        await approve(process, subject_of(process, "1.1.0"))
        assert (await process.serving.reload(governed("1.1.0"))).accepted
        assert [("desk/1.1.0", None)] == admitted_in(process)[-1:]
        await process.serving.reload(files(route(serve="1.1.0")))
        (lack,) = process.serving._refused.lacks
        await approve(process, lack.subject)
        assert (await process.serving.reload(files(route(serve="1.1.0")))).accepted
        assert [("desk/1.1.0", "nothing")] == admitted_in(process)[-1:]


async def test_a_development_server_asks_for_no_approval():
    """It registers nothing, and serves nobody beyond its machine."""
    async with serving(governed("1.1.0"), terms=Terms(dev=True)) as process:
        assert {} == process.desk.out


async def test_a_retry_of_what_is_not_admitted_serves_nobody():
    """A rolled back candidate whose exception has ended stays out."""
    async with serving(files(route())) as process:
        await adopted(process)
        wanted = {**rolling("1.1.0"), "p.yaml": policy()}
        await process.serving.reload(wanted)
        await excepted(process, subject_of(process, "1.1.0"), process.clock.wall() + 60.0)
        await process.serving.reload(wanted)
        await process.rollouts.rollback("desk", ADA)
        process.clock.now += 60.0
        await process.rollouts.retry("desk", ADA)
        assert "1.1.0" in process.desk.out
