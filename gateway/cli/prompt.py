"""`pinion prompt`: the registry of prompts."""

import click

from gateway.cli.registry_verbs import add_register, add_verbs


@click.group()
def prompt() -> None:
    """List, show, compare, register, deprecate and retire prompt versions."""


add_register(prompt, "prompt")
add_verbs(prompt, "prompt")
