"""`pinion operator`: what an operator needs to use the operations API: a token."""

import json

import click

from gateway.adapters.random_characters import random_characters
from gateway.core.api_key import ID_LENGTH, SECRET_LENGTH, digest_of, named_key


@click.group()
def operator() -> None:
    """Make what an operator needs."""


@operator.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help='Print {"token", "sha256"} as JSON.')
def key(name: str, *, as_json: bool) -> None:
    """Make a new token for the operator NAME and print it with its SHA-256.

    The token is kept nowhere, and needs no gateway: keep it to yourself, and give its SHA-256 to the policy file.
    """
    made = named_key("operator", random_characters(ID_LENGTH), random_characters(SECRET_LENGTH))
    sha256 = digest_of(made)
    if as_json:
        click.echo(json.dumps({"token": made, "sha256": sha256}))
        return
    click.echo(f"token   {made}\nsha256  {sha256}")
    click.echo(
        f"\nThe token is shown this once; commands send it from PINION_TOKEN. In the policy file of {name}:\n\n"
        f'kind: operator\nname: {name}\nroles: [viewer]\ntokens: [{{sha256: "{sha256}"}}]',
        err=True,
    )
