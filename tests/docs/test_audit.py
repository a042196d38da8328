"""docs/audit.md names every action that the code can write; the fake store of other tests takes no other."""

import ast
from pathlib import Path

import pytest

import gateway
from tests.docs.told_actions import told_actions

SOURCES = sorted(Path(gateway.__file__).parent.rglob("*.py"))
ACTION = 2
"""The place of the action among what an act is made of."""


def actions_in(source: Path) -> list[ast.expr]:
    """The actions of the acts that a module makes, as it writes them."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AuditAct":
            named = [each.value for each in node.keywords if each.arg == "action"]
            found += named or node.args[ACTION : ACTION + 1]
    return found


def words_of(action: ast.expr) -> set[str]:
    """What an action may be as it is written: whole, or where its verb comes from elsewhere, its family and a dot."""
    match action:
        case ast.Constant(str(word)):
            return {word}
        case ast.IfExp(_, one, other):
            return words_of(one) | words_of(other)
        case ast.JoinedStr([ast.Constant(str(family)), ast.FormattedValue()]):
            return {family}
    return set()


def test_every_action_that_is_written_out_is_told():
    """In whatever module an act is made; of those whose verb comes from elsewhere the family is."""
    written = [word for source in SOURCES for action in actions_in(source) for word in words_of(action)]
    assert len(written) > 20
    families = {f"{action.partition('.')[0]}." for action in told_actions()}
    assert set() == set(written) - told_actions() - families


def test_the_table_is_read_as_a_person_does():
    """A verb alone is of the family before it."""
    assert {"rollout.start", "rollout.supersede", "approval.except", "app.denied", "key.rotate"} <= told_actions()
    assert not any(action.startswith(".") for action in told_actions())


@pytest.mark.parametrize("family", ["rollout", "version", "key", "approval", "release"])
def test_families_have_verbs(family):
    """Of which the acts of the services are."""
    assert any(action.startswith(f"{family}.") for action in told_actions())
