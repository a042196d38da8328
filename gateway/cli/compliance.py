"""`pinion compliance`: the evidence that the record holds for the clauses of the frameworks, exported and checked."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.release import No, Unusable
from gateway.cli.terminal import counted, line, moment, show, show_json, table
from gateway.control.signing_key import PrivateKey, read_private_key, read_public_key
from gateway.core.attestation import read_envelope
from gateway.core.digest import canonical

PAYLOAD_TYPE = "application/vnd.pinion.compliance+json"
"""What a signed export is, in its envelope (DSSE)."""

STYLES: Mapping[str, str] = {"evidenced": "green", "partial": "yellow", "gap": "bold red", "not_applicable": "dim"}


@click.group()
def compliance() -> None:
    """Export the evidence for the EU AI Act, NIST AI RMF, ISO/IEC 42001 and SR 26-2, and check such an export."""


@compliance.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key", "key_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sign it by this."
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON, signed where a key is given.")
@gateway_option
def export(file: Path | None, key_file: Path | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """Export a row for each clause, into FILE where one is named: evidenced, partial, gap, or not applicable and why.

    It is evidence for the clauses, and no claim that they are met.
    """
    key = None if key_file is None else _key(key_file)
    told = gateway.compliance()
    written = told if key is None else key.sign(PAYLOAD_TYPE, canonical(told)).to_json()
    if file is not None:
        _write(file, written)
    if as_json:
        show_json(written)
    else:
        show(*_story(told, file))


@compliance.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(file: Path, key_file: Path) -> None:
    """Check that FILE is an export as it was signed by the key whose public half is in the file named with --key."""
    try:
        key = read_public_key(key_file.read_text(encoding="utf-8"))
        envelope = read_envelope(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unusable(str(error).partition("; sign the release")[0]) from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise No(f"{file} is signed as {envelope.payload_type}, and is no compliance export")
    if not any(key.verifies(each.value, envelope.signed) for each in envelope.signatures):
        raise No(f"{file} is not signed by that key, or was changed since")
    told = json.loads(envelope.payload)
    show(line(("signed", "bold green"), f" by {key.keyid}, as of {moment(told['as_of'])}"))


def _key(file: Path) -> PrivateKey:
    try:
        return read_private_key(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error


def _write(file: Path, value: Mapping[str, Any]) -> None:
    try:
        file.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error


def _story(told: Mapping[str, Any], file: Path | None) -> Iterator[RenderableType]:
    rows = told["rows"]
    shown = (
        (
            row["framework"],
            row["clause"],
            line((row["status"].replace("_", " "), STYLES[row["status"]])),
            row["title"],
            "; ".join(each["said"] for each in row["evidence"]) or row["justification"],
        )
        for row in rows
    )
    yield table(["framework", "clause", "status", "asks for", "what there is"], shown, whole=3)
    counts = {status: sum(row["status"] == status for row in rows) for status in STYLES}
    said = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in counts.items())
    yield from ("", line(f"{counted(len(rows), 'clause')}: {said}; evidence for them, and no claim that they are met"))
    if file is not None:
        yield line(f"written to {file}")
