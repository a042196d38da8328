"""`pinion app`: what an application needs to call a route: a key."""

import hashlib
import json
import secrets
import string
import zlib

import click

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 40
CHECKSUM_LENGTH = 6


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
    sha256 = hashlib.sha256(made.encode()).hexdigest()
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
    """Make a key that nobody can guess.

    After `pin_` come 40 characters of base62, 238 bits, and 6 for their CRC-32: a scanner for leaked secrets can tell a
    key from a look-alike without asking anyone.
    """
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"pin_{drawn}{checksum(drawn)}"


def checksum(drawn: str) -> str:
    """Give the CRC-32 of a key's random part, as 6 digits of base62, the highest first."""
    rest = zlib.crc32(drawn.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
