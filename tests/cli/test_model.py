"""`pinion model`: its commands; what they do is in test_registry_verbs."""

from gateway.cli.model import model

VERBS = {"list", "search", "show", "diff", "dependents", "register", "deprecate", "retire", "revoke"}


def test_the_group_has_every_verb_of_a_registry():
    """Each with a help of its own that names the kind."""
    assert VERBS == set(model.commands)
    assert all("model" in command.help for command in model.commands.values())
