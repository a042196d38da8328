"""Datasets that model versions name and no file declares."""

import pytest

from gateway.core.errors import PolicyFault
from tests.control.registry_world import CATALOGUE, SHA, registries, registry

pytestmark = pytest.mark.anyio

TICKETS = f'kind: dataset\nname: tickets\nversions: {{"1": {{sha256: "{SHA}", rows: 7, origin: the desk}}}}\n'


def naming(dataset, use="data: {training: [%s]}"):
    """A policy set whose second model version names a dataset."""
    own = CATALOGUE.replace("atlas-2026-02-01}", f"atlas-2026-02-01, {use % dataset}}}")
    return registry(catalogue=own)


@pytest.mark.parametrize(
    "use", ["data: {evaluation: [%s]}", "evaluations: [{name: a, metric: b, value: 1, n: 1, dataset: %s}]"]
)
async def test_a_dataset_that_was_registered_alone_may_be_named_in_files(use):
    """Nothing is said of it."""
    async with registries() as desk:
        await desk.registries.register({"t.yaml": TICKETS}, "ada")
        reload = await desk.process.serving.reload(naming("tickets@1", use))
        assert (True, []) == (reload.accepted, [each.problem for each in reload.warnings if "tickets" in each.problem])


async def test_one_that_is_registered_nowhere_is_refused_with_the_nearest_name():
    """Of what is declared and of what is registered."""
    async with registries() as desk:
        await desk.registries.register({"t.yaml": TICKETS}, "ada")
        for name, remedy in (
            ("tickts@1", "did you mean 'tickets@1'? correct it"),
            ("mial@1", "did you mean 'mails@1'? correct it"),
            ("zebra@9", "correct it, declare it, or `pinion dataset register` it first"),
        ):
            (problem,) = (await desk.process.serving.reload(naming(name))).problems
            assert f"model atlas: versions.2.data.training.1: there is no dataset '{name}'" == problem.problem
            assert ("all.yaml", remedy) == (problem.file, problem.remedy)
        with pytest.raises(PolicyFault, match="there is no dataset 'zebra@9'"):
            await desk.process.serving.plan(naming("zebra@9"))


async def test_one_that_may_stand_in_a_file_that_could_not_be_read_is_not_asked_for():
    """What is wrong with that file is said, and nothing follows from it."""
    async with registries() as desk:
        broken = {**naming("tickets@1"), "t.yaml": TICKETS.replace("rows: 7", "rows: many")}
        said = [each.problem for each in (await desk.process.serving.reload(broken)).problems]
        assert not any("there is no dataset" in each for each in said)
        assert any("rows" in each for each in said)
