"""`pinion audit`: read the trail, check, prove and export it, forget a person, make the key of its checkpoints."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click
import orjson
from rich.console import Console

from gateway.adapters import ed25519_keys
from gateway.cli.audit_text import page_of, told_proof, told_verdict
from gateway.cli.gateway_client import GatewayClient, Misused, gateway_option
from gateway.cli.option import read_by, since_option
from gateway.cli.terminal import counted, json_option, line, show, show_json
from gateway.control.audit_reading import describe_verdict
from gateway.core.audit import ToldEntry, TreeHead
from gateway.core.audit_check import Check, Verdict
from gateway.core.audit_export import Line, read_line
from gateway.core.audit_proof import read_proof
from gateway.core.checkpoint import Checkpoint, VerifierKey, read_note, split_notes, verifier_key
from gateway.core.errors import SetupFault

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

AT_ONCE = 1_000


@click.group()
def audit() -> None:
    """Show, verify, prove and export the audit trail."""


@audit.command(name="show")
@click.option("--actor", metavar="NAME", help="Only what this person did; or the beginning of a pseudonym.")
@click.option("--action", metavar="ACTION", help="Only this, as in rollout.promote, or all of rollout.")
@click.option("--target", metavar="ID", help="Only acts on this, as in support or route/support.")
@since_option
@click.option(
    "--after", metavar="SEQ", type=click.IntRange(0), help="In order after this entry; else the newest first."
)
@click.option("--limit", type=click.IntRange(1, 1_000), default=30, show_default=True, help="How many at most.")
@json_option
@gateway_option
def show_(gateway: GatewayClient, *, as_json: bool, **asked: Any) -> None:
    """Show who did what, when, and what came of it."""
    told = gateway.audit({name: str(held) for name, held in asked.items() if held is not None})
    if as_json:
        show_json(told)
    else:
        show(*page_of(told))


@audit.command()
@click.argument("file", type=FILE, required=False)
@click.option(
    "--key", metavar="VKEY", callback=read_by(verifier_key), help="Verifier key that checkpoints must be signed with."
)
@click.option("--anchor", "anchors", type=FILE, multiple=True, help="File with checkpoints that were kept elsewhere.")
@json_option
@gateway_option
@click.pass_context
def verify(
    ctx: click.Context,
    file: Path | None,
    key: VerifierKey | None,
    anchors: tuple[Path, ...],
    gateway: GatewayClient,
    *,
    as_json: bool,
) -> None:
    """Say whether the trail is whole: the one of a gateway, or the export in FILE, which needs no gateway.

    Exits 0 when it is, 1 when anything is wrong.
    """
    if file is None and anchors:
        raise click.UsageError("--anchor goes with FILE; export the trail first: pinion audit export FILE")
    told = gateway.audit_verdict(key) if file is None else _verdict_of(file, key, anchors)
    if as_json:
        show_json(told)
    else:
        show(*told_verdict(told))
    ctx.exit(0 if told["result"] == "whole" else 1)


def _verdict_of(file: Path, key: VerifierKey | None, anchors: Iterable[Path]) -> dict[str, Any]:
    known = [checkpoint for path in anchors for checkpoint in _notes_in(path)]
    with file.open(encoding="utf-8") as lines:
        verdict = checked(_lines_of(file, lines), known, key)
    return {**describe_verdict(verdict), "key": None if key is None else str(key)}


def _notes_in(path: Path) -> Iterator[Checkpoint]:
    try:
        for note in split_notes(path.read_text(encoding="utf-8")):
            yield read_note(note)[0]
    except ValueError as exc:
        raise Misused(f"{path} is no file of checkpoints: {exc}") from exc


def _lines_of(file: Path, lines: Iterable[str]) -> Iterator[Line]:
    number = 0
    try:
        for number, text in enumerate(lines, 1):  # noqa: B007 - told with what is wrong
            yield read_line(text)
    except ValueError as exc:
        raise Misused(f"{file}:{number + (not number)}: no line of an export: {exc}") from exc


def checked(lines: Iterable[Line], known: Iterable[Checkpoint], key: VerifierKey | None) -> Verdict:
    """Check the lines of an export, its checkpoints first and its end last; `known` are checkpoints from elsewhere."""
    checkpoints, check, end, held = [*known], None, None, list[ToldEntry]()
    for told in lines:
        match told:
            case Checkpoint():
                checkpoints.append(told)
            case TreeHead():
                end = told
            case ToldEntry():
                check = check or Check(checkpoints, key, ed25519_keys.verify)
                held.append(told)
                if len(held) >= AT_ONCE:
                    check.take(held)
                    held.clear()
    check = check or Check(checkpoints, key, ed25519_keys.verify)
    check.take(held)
    if end is None:
        return check.cut_off()
    return check.end(end.size, end.root)


@audit.command()
@click.argument("file", type=click.File("wb", atomic=True), default="-")
@gateway_option
def export(file: IO[bytes], gateway: GatewayClient) -> None:
    """Write the whole trail as JSON lines, to FILE or standard output; that is an entry, too.

    The names and reasons in it are personal data. FILE is written once all is there.
    """
    for piece in _watched(gateway.audit_export(), is_watched=sys.stderr.isatty()):
        file.write(piece)


def _watched(pieces: Iterator[bytes], *, is_watched: bool) -> Iterator[bytes]:
    """Pass lines on, and tell whoever watches on standard error how many there are so far."""
    if not is_watched:
        yield from pieces
        return
    lines = 0
    with Console(stderr=True).status("exporting") as status:
        for piece in pieces:
            lines += piece.count(b"\n")
            status.update(f"exporting: {counted(lines, 'line')}")
            yield piece
    click.echo(f"exported {counted(lines, 'line')}", err=True)


@audit.command()
@json_option
@gateway_option
def checkpoint(gateway: GatewayClient, *, as_json: bool) -> None:
    """Print the latest signed checkpoint, as anchors get it."""
    told = gateway.audit_checkpoint()
    if as_json:
        show_json(told)
    else:
        click.echo(told["note"], nl=False)


@audit.command()
@click.argument("seq", type=click.IntRange(1), required=False)
@click.option("--size", type=click.IntRange(1), help="By the checkpoint of so many entries; else by the latest one.")
@click.option("--file", type=FILE, help="Check the proof in this file, which --json printed; needs no gateway.")
@click.option(
    "--key",
    metavar="VKEY",
    callback=read_by(verifier_key),
    help="Verifier key that the checkpoint must be signed with.",
)
@json_option
@gateway_option
@click.pass_context
def prove(
    ctx: click.Context,
    seq: int | None,
    size: int | None,
    file: Path | None,
    key: VerifierKey | None,
    gateway: GatewayClient,
    *,
    as_json: bool,
) -> None:
    """Prove that the entry SEQ is in the audit trail, by a signed checkpoint, to whoever has neither.

    What --json prints is the whole proof, to be checked elsewhere with --file. Exits 1 where it proves nothing.
    """
    if (seq is None) is (file is None) or (file is not None and size is not None):
        raise click.UsageError("name an entry by SEQ, or a proof with --file")
    told = _read_told(file) if file is not None else gateway.audit_proof(seq or 0, size)
    try:
        proof = read_proof(told)
    except ValueError as exc:
        raise Misused(f"{file or 'what the gateway answered'} is no proof: {exc}") from exc
    why_not = proof.why_not(key, ed25519_keys.verify)
    if as_json:
        show_json({**proof.to_json(), "result": "proven" if why_not is None else "not proven", "why_not": why_not})
    else:
        show(*told_proof(proof, key, why_not))
    ctx.exit(0 if why_not is None else 1)


def _read_told(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except ValueError as exc:
        raise Misused(f"{file} is no proof: it is not JSON; pinion audit prove SEQ --json > {file}") from exc


@audit.command()
@click.argument("name")
@click.option("--reason", metavar="TEXT", required=True, help="Why; recorded. Leave the name out of it.")
@json_option
@gateway_option
def forget(name: str, reason: str, gateway: GatewayClient, *, as_json: bool) -> None:
    """Erase the name and the words of the person NAME. Their entries stay, and verify."""
    told = gateway.audit_forget(name, reason)
    if as_json:
        show_json(told)
    else:
        show(line((name, "bold"), " is forgotten; what was done stays, under a pseudonym that is nobody's"))


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--name",
    default="pinion",
    show_default=True,
    help="Origin of the checkpoints, as in example.com/pinion.",
)
@json_option
def key(file: Path, name: str, *, as_json: bool) -> None:
    """Make a key that signs checkpoints, in FILE, and print its verifier key.

    Give FILE to `pinion serve --audit-key`, and the verifier key to whoever checks.
    """
    try:
        made = ed25519_keys.new_key(name)
        ed25519_keys.write_key(made, file)
    except SetupFault as fault:
        raise Misused(fault.message) from fault
    if as_json:
        show_json({"file": str(file), "verifier_key": str(made.verifier)})
    else:
        click.echo(str(made.verifier))
