"""Who may do what: the table, what it implies, and who is two things at once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.access import CONFLICTS, GRANTED, PERMISSIONS, PERMITTED, PERSONAL, conflicts, permitted, roles_of

READS = {"status.read", "explain.read", "experiment.read", "registry.read", "card.read"}
EXPORTS = {"exposures.export", "audit.export", "compliance.export"}
LOOKS = READS | EXPORTS | {"audit.read", "access.review", "policy.plan"}
"""What changes nothing."""

ROLES = st.sets(st.sampled_from(GRANTED))


def test_every_permission_is_in_somebodys_hands():
    """And the table holds none that there is not."""
    given_out = frozenset().union(*(PERMITTED[role] for role in (*GRANTED, "approver")))
    assert set(PERMISSIONS) == given_out


def test_an_auditor_reads_everything_and_writes_nothing():
    """Exports and the audit trail too."""
    assert PERMITTED["auditor"] == LOOKS


def test_a_viewer_looks_at_what_serves_and_at_the_registry():
    """And takes nothing away with them."""
    assert PERMITTED["viewer"] == READS


@pytest.mark.parametrize("role", [*GRANTED, "approver"])
def test_whoever_has_a_role_may_look(role):
    """Nobody has to decide on what they cannot see."""
    assert READS <= PERMITTED[role]


def test_more_may_stop_than_start():
    """Whoever may move a rollout on may take it out, and others too; of what gives access, the same."""
    having = {permission: {role for role in PERMITTED if permission in PERMITTED[role]} for permission in PERMISSIONS}
    assert having["rollout.act"] < having["rollout.stop"]
    assert having["key.issue"] < having["key.revoke"]
    assert having["release.sign"] < having["release.revoke"]


def test_only_an_approver_signs():
    """Nobody signs by another role: neither an admin, nor whoever is on the machine."""
    assert {"approver"} == {role for role, may in PERMITTED.items() if "release.sign" in may}


def test_whoever_is_on_the_machine_may_everything_but_sign():
    """As it was before there were operators."""
    assert set(PERMISSIONS) - {"release.sign"} == PERMITTED["local"]


@given(ROLES, st.booleans(), st.booleans())
def test_roles_add_up(granted, is_person, signs):
    """What several roles permit is what each does, together; a service loses what is a person's alone."""
    roles = roles_of(granted, is_person=is_person, signs=signs)
    expected = frozenset().union(*(PERMITTED[role] for role in roles))
    assert permitted(roles) == (expected if is_person else expected - PERSONAL)
    assert signs is ("approver" in roles)
    assert is_person is ("service" not in roles)


def test_without_a_role_nobody_may_anything():
    """The default is no."""
    assert frozenset() == permitted([])
    assert frozenset() == permitted(roles_of([], is_person=False, signs=False))


@given(ROLES, st.booleans(), st.booleans())
def test_a_sign_off_is_of_a_person_who_gives_out_nothing(granted, is_person, signs):
    """Whatever roles somebody has without a conflict."""
    roles = roles_of(granted, is_person=is_person, signs=signs)
    if not conflicts(roles) and "release.sign" in permitted(roles):
        assert is_person
        assert not {"key.issue", "operator.token", "audit.forget"} & permitted(roles)


def test_an_auditor_has_no_role_that_writes():
    """Each role that may change something excludes the auditor's."""
    writing = {role for role in (*GRANTED, "approver") if PERMITTED[role] - LOOKS}
    assert writing == {role for role in (*GRANTED, "approver") if conflicts({"auditor", role})}


def test_conflicts_are_found_in_any_order_and_say_why():
    """Each pair of the matrix among any other roles, and no other pair."""
    named = {frozenset(pair[:2]) for pair in CONFLICTS}
    for pair in itertools.combinations((*GRANTED, "approver", "service"), 2):
        found = conflicts(pair)
        assert bool(found) is (frozenset(pair) in named)
        assert all(why for _, _, why in found)
    assert len(CONFLICTS) == len(conflicts((*GRANTED, "approver", "service")))
