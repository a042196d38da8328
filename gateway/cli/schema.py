"""`pinion schema`: the JSON Schema of policy documents, for editors."""

import json

import click

from gateway.control.policy_schema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of policy documents, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))
