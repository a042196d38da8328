"""`pinion dataset`: its commands; what they do is in test_registry_verbs."""

from gateway.cli.dataset import dataset

VERBS = {"list", "search", "show", "diff", "dependents", "register", "deprecate", "retire", "revoke"}


def test_the_group_has_every_verb_of_a_registry():
    """Each with a help of its own that names the kind."""
    assert VERBS == set(dataset.commands)
    assert all("dataset" in command.help for command in dataset.commands.values())
