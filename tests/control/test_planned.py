"""What taking a policy set would mean."""

import pytest

from gateway.control.planned import Act
from gateway.core.errors import PolicyFault
from tests.control.registry_world import THREE, registries, registry
from tests.control.serving_world import ADA

pytestmark = pytest.mark.anyio

ROLLING = 'rollout: {from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}'


async def planned(desk, files):
    """What a set would mean; it changes nothing, neither here nor on the disk."""
    process = desk.process
    before = process.live.current, process.store.disk.recorded, dict(process.live.state.standings)
    try:
        return await process.serving.plan(files)
    finally:
        assert before == (process.live.current, process.store.disk.recorded, process.live.state.standings)


async def test_the_set_that_serves_would_change_nothing():
    """It is not new, and nothing follows."""
    async with registries() as desk:
        found = await planned(desk, registry())
        assert (False, (), (), ()) == (found.is_new, found.registers, found.changes, found.acts)
        assert desk.process.live.current.revision == found.revision


async def test_a_changed_line_starts_a_rollout():
    """From stable to what it names."""
    async with registries() as desk:
        found = await planned(desk, registry("1.1.0"))
        assert (True, (Act("desk", "start", "1.0.0", "1.1.0"),)) == (found.is_new, found.acts)


async def test_new_versions_and_changed_facts_are_told():
    """What is registered for the first time apart from what is told anew."""
    async with registries() as desk:
        files = registry()
        text = files["all.yaml"].replace('"3": {', '"4": {upstream_model: atlas-2026-04-01}\n  "3": {')
        found = await planned(desk, {**files, "all.yaml": text.replace("[Customer support]", "[Sales]")})
        assert (["model atlas@4"], ["model atlas@1"]) == ([*map(str, found.registers)], [*map(str, found.changes)])


async def test_a_new_route_would_be_deployed_and_a_missing_one_removed():
    """Both with the release that is stable."""
    async with registries() as desk:
        files = registry()
        text = files["all.yaml"].replace("name: desk", "name: shop").replace("[desk]", "[shop]")
        found = await planned(desk, {**files, "all.yaml": text})
        assert {Act("shop", "deploy", "1.0.0"), Act("desk", "remove", "1.0.0")} == set(found.acts)
        assert {"release shop/1.0.0", "release shop/1.1.0", "release shop/1.2.0"} == {*map(str, found.registers)}


async def test_a_line_that_goes_back_takes_a_rollout_back():
    """Though nobody acts."""
    async with registries(registry("1.1.0", ROLLING)) as desk:
        await desk.process.rollouts.start("desk", ADA)
        await desk.settled()
        (act,) = (await planned(desk, registry("1.0.0", "rollout: {steps: [{percent: 5}]}"))).acts
        assert ("desk", "rollback", "1.0.0", "1.1.0") == (act.route, act.verb, act.stable, act.candidate)


async def test_warnings_are_told():
    """Those of the files, and releases that an undo could go back to no more."""
    async with registries() as desk:
        files = registry()
        text = files["all.yaml"].replace("atlas-2026-03-01", "atlas")
        said = [warning.problem for warning in (await planned(desk, {**files, "all.yaml": text})).warnings]
        assert any("has no date or version" in problem for problem in said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: route", "kind: rout", "kind"),
        ("atlas-2026-01-01", "atlas-2026-09-09", "versions are immutable"),
        ('serve: "1.0.0"', 'serve: "1.2.0"', "revoked with its model atlas@3: it leaks"),
    ],
)
async def test_what_would_be_refused_is_refused(old, new, said):
    """For what is wrong in itself, for what has served, and for what was revoked: with every reason."""
    async with registries() as desk:
        await desk.registries.revoke(THREE, "it leaks")
        await desk.settled()
        files = {name: text.replace(old, new) for name, text in registry().items()}
        with pytest.raises(PolicyFault) as raised:
            await planned(desk, files)
        assert any(said in str(problem) for problem in raised.value.problems)
