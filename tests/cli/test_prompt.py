"""`pinion prompt`: its commands; what they do is in test_registry_verbs."""

from gateway.cli.prompt import prompt

VERBS = {"list", "search", "show", "diff", "dependents", "register", "deprecate", "retire", "revoke"}


def test_the_group_has_every_verb_of_a_registry():
    """Each with a help of its own that names the kind."""
    assert VERBS == set(prompt.commands)
    assert all("prompt" in command.help for command in prompt.commands.values())
