"""An operator, and what it may by how it was identified."""

import pytest

from gateway.core.operator import BREAK_GLASS, LOCAL, TOKEN_HOLDER, Operator, Operators


def test_an_operator_may_what_its_roles_permit():
    """And nothing else."""
    ada = Operator("ada", frozenset({"viewer"}))
    assert (True, False) == (ada.may("status.read"), ada.may("rollout.act"))


@pytest.mark.parametrize(("identified", "may"), [("declared", True), ("oidc", True), ("issued", False)])
def test_a_token_that_somebody_else_issued_signs_nothing(identified, may):
    """Whoever issued it has seen it, and could sign as another."""
    ada = Operator("ada", frozenset({"approver"}), signs_for=frozenset({"security"}), identified=identified)
    assert (may, True) == (ada.may("release.sign"), ada.may("release.revoke"))


def test_those_without_a_name_of_their_own():
    """Who is on the machine is taken for a person; the admin token, once operators are declared, is an admin's."""
    assert ("local", True) == (LOCAL.name, LOCAL.is_person)
    assert ("operator", False, True) == (TOKEN_HOLDER.name, TOKEN_HOLDER.is_person, TOKEN_HOLDER.may("rollout.act"))
    assert ("operator", False, False) == (BREAK_GLASS.name, BREAK_GLASS.is_person, BREAK_GLASS.may("rollout.act"))
    assert BREAK_GLASS.may("operator.token")
    assert not any(each.may("release.sign") for each in (LOCAL, TOKEN_HOLDER, BREAK_GLASS))


def test_digests_are_not_shown():
    """A snapshot may be logged."""
    ada = Operator("ada", frozenset())
    assert "digest" not in repr(Operators({"ada": ada}, {b"digest": ada}))
