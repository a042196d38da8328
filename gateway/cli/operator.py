"""`pinion operator`: the tokens of operators, made for a policy file, or issued and taken back; and who they are."""

import json

import click

from gateway.adapters.random_characters import random_characters
from gateway.cli.access_text import operators_table
from gateway.cli.app import expires_option
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.key_text import echo_issued, echo_revoked
from gateway.cli.terminal import json_option, show, show_json
from gateway.core.api_key import ID_LENGTH, SECRET_LENGTH, digest_of, named_key


@click.group()
def operator() -> None:
    """Make, issue and revoke the tokens of operators, and list them."""


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


@operator.command()
@click.argument("name")
@expires_option
@json_option
@gateway_option
def token(name: str, expires: str | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """Have a token issued to the declared operator NAME. It signs nothing: whoever issues it has seen it."""
    told = gateway.issue("operator", name, {} if expires is None else {"expires": expires})
    if as_json:
        show_json(told)
    else:
        echo_issued(told, "token")


@operator.command()
@click.argument("key_id", metavar="KEYID")
@json_option
@gateway_option
def revoke(key_id: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Let nobody in by the issued token KEYID any more, at once."""
    told = gateway.revoke("operator", key_id)
    if as_json:
        show_json(told)
    else:
        echo_revoked(told, "token")


@operator.command(name="list")
@json_option
@gateway_option
def list_(gateway: GatewayClient, *, as_json: bool) -> None:
    """List the operators: their roles, what they sign for, and how they are known."""
    told = gateway.operators()
    if as_json:
        show_json(told)
    else:
        show(operators_table(told["operators"]))
