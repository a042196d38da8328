"""`pinion dataset`: the registry of datasets."""

import click

from gateway.cli.registry_verbs import add_register, add_verbs


@click.group()
def dataset() -> None:
    """List, show, compare, register, deprecate and retire dataset versions."""


add_register(dataset, "dataset")
add_verbs(dataset, "dataset")
