"""`pinion app`: the keys of applications, made for a policy file, or issued and taken back by a running gateway."""

import json
from typing import Any

import click

from gateway.adapters.random_characters import random_characters
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.key_text import echo_issued, echo_revoked, keys_table, lasting
from gateway.cli.limit_text import limits_text
from gateway.cli.terminal import json_option, printable, show, show_json
from gateway.core.api_key import UNNAMED_LENGTH, digest_of, unnamed_key

expires_option = click.option(
    "--expires", metavar="DURATION", help="How long it lasts, as in 90d; for ever if left out."
)
"""Tells a command, as `expires`, how long what it has issued lasts."""


@click.group()
def app() -> None:
    """Make, issue, rotate and revoke the keys of applications, and show their limits."""


@app.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help='Print {"key", "sha256"} as JSON.')
def key(name: str, *, as_json: bool) -> None:
    """Make a new key for the application NAME and print it with its SHA-256.

    The key is kept nowhere. Give it to the application, and its SHA-256 to the policy file. It needs no gateway.
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


@app.command()
@click.argument("name")
@expires_option
@json_option
@gateway_option
def issue(name: str, expires: str | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """Have a key issued to the declared application NAME; it is good at once, without a change of files."""
    told = gateway.issue("app", name, _given(expires=expires))
    if as_json:
        show_json(told)
    else:
        echo_issued(told, "key")


@app.command()
@click.argument("name")
@click.argument("key_id", metavar="[KEYID]", required=False)
@click.option(
    "--overlap", metavar="DURATION", default="7d", show_default=True, help="How long the old one still lasts."
)
@expires_option
@json_option
@gateway_option
def rotate(name: str, key_id: str | None, gateway: GatewayClient, *, as_json: bool, **times: str | None) -> None:
    """Have a key of the application NAME replaced; the old one lasts for the overlap.

    KEYID may be left out where the application has one issued key in force.
    """
    told = gateway.rotate(name, _given(key=key_id, **times))
    if as_json:
        show_json(told)
        return
    echo_issued(told, "key")
    old = told["replaces"]
    click.echo(printable(f"key {old['key']} lasts {lasting(old['expires_at'])}."), err=True)


@app.command()
@click.argument("key_id", metavar="KEYID")
@json_option
@gateway_option
def revoke(key_id: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Let nobody in by the issued key KEYID any more, at once."""
    told = gateway.revoke("app", key_id)
    if as_json:
        show_json(told)
    else:
        echo_revoked(told, "key")


@app.command()
@click.argument("name", required=False)
@json_option
@gateway_option
def keys(name: str | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """List the issued keys of the application NAME, or of all, the oldest first."""
    told = gateway.keys(name)
    if as_json:
        show_json(told)
    elif told["keys"]:
        show(keys_table(told["keys"]))
    else:
        click.echo("no key was issued; declared ones stand in the policy files")


@app.command()
@click.argument("name", required=False)
@json_option
@gateway_option
def limits(name: str | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """Show the limits of the application NAME, or of all, and how much of them is used."""
    told = gateway.app_limits(name)
    if as_json:
        show_json(told)
    elif told["apps"]:
        show(*limits_text(told))
    else:
        click.echo("no limit is declared" if name is None else f"{name} has no limit")


def _given(**options: Any) -> dict[str, Any]:
    """Give the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
