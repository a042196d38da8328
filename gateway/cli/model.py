"""`pinion model`: the registry of models."""

import click

from gateway.cli.registry_verbs import add_register, add_verbs


@click.group()
def model() -> None:
    """List, show, compare, register, deprecate and retire model versions."""


add_register(model, "model")
add_verbs(model, "model")
