"""What an approval policy document may hold, and what is said where it holds something else."""

import pytest

from gateway.control.policies import load
from gateway.core.errors import PolicyFault
from tests.control.serving_world import files, route

POLICY = "kind: approval_policy\nname: prod\nrequires: {risk: 1}\n"


def said(more):
    """What is wrong with a policy that has these lines too."""
    with pytest.raises(PolicyFault) as caught:
        load(files(route(), POLICY + more))
    return [f"{each.problem}; {each.remedy}" for each in caught.value.problems]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("gates: [{evaluation: a, metric: b}]", "gates.1: it has no limit; write min, max or both"),
        (
            "gates: [{metric: b, min: 1}]",
            "gates.1: evaluation and metric go together; write both, or rollback_plan, or card",
        ),
        (
            "gates: [{rollback_plan: true, min: 1}]",
            "gates.1: rollback_plan stands alone; write what is beside it as a gate of its own",
        ),
        (
            "gates: [{card: true, rollback_plan: true}]",
            "gates.1: rollback_plan stands alone; write what is beside it as a gate of its own",
        ),
        ("gates: [{card: true, min: 1}]", "gates.1: card stands alone; write what is beside it as a gate of its own"),
        (
            "gates: [{evaluation: a, metric: b, min: 2, max: 1}]",
            "gates.1: min is over max, so no result is good enough; correct the numbers",
        ),
        ("gates: [cards]", "gates.1 is 'cards', not a set of keys; write its keys, indented below it"),
        ("risk_tiers: [huge]", "risk_tiers.1 is 'huge'; write 'minimal', 'limited' or 'high'"),
        (
            "emergency: {roles: [local]}",
            "emergency.roles.1 is 'local'; write 'operator'",
        ),
        ("deadline: 0s", "deadline is '0s'; it must be over 0s"),
        ("routes: [dask]", "routes.1: there is no route 'dask'; did you mean 'desk'? correct it"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_remedy(more, problem):
    """Unknown keys, words and names are refused; a gate says something."""
    assert [f"approval_policy prod: {problem}"] == said(more)
