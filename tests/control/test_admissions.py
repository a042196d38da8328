"""What admits releases, as the snapshot asks."""

from gateway.control.admissions import Admissions
from gateway.control.policies import load
from gateway.core.admission import Admission, Governance
from tests.control.approval_world import governed

POLICIES = load(governed())
SERVED = {("release", "desk", "1.0.0"): "r"}
ONE = Admission("default", "desk", "1.0.0", "d", "b", 1.0, ungoverned=True)


def test_a_governed_release_serves_by_an_admission_alone():
    """Of its environment; what nothing governs, or is not declared here, needs none."""
    in_force = tuple(POLICIES.approval_policies.values())
    held = Admissions(Governance(in_force, admissions=(ONE,)), POLICIES.routes, "default", 2.0, SERVED)
    assert held.why_out("desk", "1.0.0") is None
    assert "unapproved: nothing admits it to default; pinion release request desk/1.1.0" == held.why_out(
        "desk", "1.1.0"
    )
    assert held.why_out("elsewhere", "1.0.0") is None
    elsewhere = Admissions(Governance(in_force, admissions=(ONE,)), POLICIES.routes, "production", 2.0, SERVED)
    assert elsewhere.why_out("desk", "1.0.0") is not None
    assert Admissions(Governance(), POLICIES.routes, "default", 2.0).why_out("desk", "1.1.0") is None
