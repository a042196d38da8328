"""`pinion app`: what an application needs to call a route: a key."""

import json

import click

from gateway.adapters.random_characters import random_characters
from gateway.core.api_key import UNNAMED_LENGTH, digest_of, unnamed_key


@click.group()
def app() -> None:
    """Make what an application needs."""


@app.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help='Print {"key", "sha256"} as JSON.')
def key(name: str, *, as_json: bool) -> None:
    """Make a new key for the application NAME and print it with its SHA-256.

    The key is kept nowhere. Give it to the application, and its SHA-256 to the policy file.
    """
    made = new_key()
    sha256 = digest_of(made)
    if as_json:
        click.echo(json.dumps({"key": made, "sha256": sha256}))
        return
    click.echo(f"key     {made}\nsha256  {sha256}")
    click.echo(
        f"\nThe key is shown this once. In the policy file of {name}:\n\n"
        f'kind: app\nname: {name}\nkeys: [{{sha256: "{sha256}"}}]',
        err=True,
    )


def new_key() -> str:
    """Make a key that nobody can guess: `pin_`, 40 random characters, and 6 that check them."""
    return unnamed_key(random_characters(UNNAMED_LENGTH))
