"""`pinion release`: sign a release with a key of your own, and check such a signature, which works offline.

The group has the verbs of every registry beside that, and those of approvals.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from gateway.adapters.policy_folder import read_file, read_folder
from gateway.cli.approval_verbs import add_approval_verbs
from gateway.cli.gateway_client import CommandFault
from gateway.cli.registry_verbs import add_verbs
from gateway.cli.terminal import facts, line, show, show_json
from gateway.control.policies import Policies, load
from gateway.control.signatures import doubts, statement_of
from gateway.control.signing_key import Algorithm, PrivateKey, new_pair, read_private_key, read_public_key
from gateway.core.attestation import PAYLOAD_TYPE, read_envelope, read_statement, statement_payload
from gateway.core.errors import PolicyFault, UnknownSubject

policies_option = click.option(
    "--policies",
    envvar="PINION_POLICIES",
    show_envvar=True,
    type=click.Path(exists=True, file_okay=False),
    help="The policy folder.",
)


class Unusable(CommandFault):
    """A key or a file that cannot be used, or policies that are not acceptable."""

    exit_code = 2


class No(CommandFault):
    """The answer is no."""

    exit_code = 1


@click.group()
def release() -> None:
    """Request, review and give the approval of releases; sign them, and check signatures; list, compare, end them."""


@release.command()
@click.option(
    "--out",
    default="release",
    show_default=True,
    metavar="NAME",
    help="Writes NAME.pem, which is secret, and NAME.pub.pem.",
)
@click.option(
    "--algorithm", type=click.Choice(get_args(Algorithm)), default="ed25519", show_default=True, help="The kind of key."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def key(out: str, algorithm: Algorithm, *, as_json: bool) -> None:
    """Make a pair of keys: a private one that signs, and the public one that policies name.

    Files that are there already are left alone.
    """
    private, public = new_pair(algorithm)
    secret, open_to_all = Path(f"{out}.pem"), Path(f"{out}.pub.pem")
    _create(open_to_all, public, 0o644)
    _create(secret, private, 0o600)
    keyid = read_public_key(public).keyid
    if as_json:
        show_json({"keyid": keyid, "private_key": str(secret), "public_key": str(open_to_all)})
        return
    show(facts([("key id", keyid), ("private key", f"{secret}, keep it secret"), ("public key", str(open_to_all))]))
    name = Path(out).name
    click.echo(
        "\nCopy the public key into the policy folder, and write in a policy file:\n\n"
        f"kind: signing_key\nname: {name}\npublic_key: {{file: {name}.pub.pem}}",
        err=True,
    )


@release.command()
@click.argument("subject", metavar="ROUTE/VERSION")
@click.option("--key", "source", required=True, metavar="FILE|env:NAME", help="The private key, as PEM.")
@policies_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file in place of standard output.")
def sign(subject: str, source: str, policies: str | None, out: Path | None) -> None:
    """Sign the release ROUTE/VERSION as the policy folder has it now.

    Written is an in-toto statement in a DSSE envelope. It counts where the route asks for signatures, once it is in the
    policy folder, in a file whose name ends in .dsse.json.
    """
    signing = _private_key(source)
    held = _policies(policies or "policies")
    route, _, version = subject.partition("/")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        statement = statement_of(held, route, version, now)
    except UnknownSubject as fault:
        raise No(fault.message) from fault
    text = json.dumps(signing.sign(PAYLOAD_TYPE, statement_payload(statement)).to_json(), indent=2)
    if out is None:
        click.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error
    show(line(f"{subject} is signed by key {signing.public.keyid[:12]}: {out}"))


@release.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key", "key_file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The public key, as PEM."
)
@policies_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(file: Path, key_file: Path, policies: str | None, *, as_json: bool) -> None:
    """Check that FILE is signed by a key, and, with --policies, that a policy folder still holds what was signed.

    Exits 0 when it is good, and 1 when it is not.
    """
    try:
        public = read_public_key(_text(key_file))
    except ValueError as error:
        raise Unusable(f"{key_file}: {error}") from error
    told: dict[str, Any] = {"file": str(file), "keyid": public.keyid}
    try:
        envelope = read_envelope(_text(file))
        statement = read_statement(envelope)
    except ValueError as error:
        wrong = [str(error)]
    else:
        told |= {"release": statement.release, "subjects": statement.subjects, "predicate": statement.predicate}
        wrong = [] if public.has_signed(envelope) else ["no signature in it is of this key"]
        wrong += [] if policies is None else doubts(_policies(policies), statement)
    _tell({"ok": not wrong, **told, "compared_with": policies, "problems": wrong}, as_json=as_json)
    raise SystemExit(1 if wrong else 0)


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    if told["ok"]:
        where = "" if told["compared_with"] is None else f", and is what {told['compared_with']} holds"
        show(line((f"{told['release']} is signed by this key{where}", "green")))
        short = [(name, sha256[:12]) for name, sha256 in told["subjects"].items()]
        signed_at = told["predicate"].get("signed_at")
        show(facts([("signed at", signed_at), ("key id", told["keyid"][:12]), *short]))
        return
    for problem in told["problems"]:
        show(line((f"{told['file']}: {problem}", "red")))


def _private_key(source: str) -> PrivateKey:
    """Read the key that signs, from a file or from the environment."""
    name = source.removeprefix("env:")
    pem = _text(Path(source)) if name == source else os.environ.get(name)
    if pem is None:
        raise Unusable(f"{source}: the environment variable is not set; put the private key's PEM there")
    try:
        return read_private_key(pem)
    except ValueError as error:
        raise Unusable(f"{source}: {error}") from error


def _text(path: Path) -> str:
    try:
        return read_file(path)
    except PolicyFault as fault:
        problem = fault.problems[0]
        raise Unusable(f"{problem.file}: {problem.problem}; {problem.remedy}") from fault


def _policies(folder: str) -> Policies:
    try:
        return load(read_folder(Path(folder)))
    except PolicyFault as fault:
        raise Unusable(f"{folder} is not acceptable; see pinion check {folder}") from fault


def _create(path: Path, text: str, mode: int) -> None:
    """Write a file that is not there yet."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except FileExistsError:
        raise Unusable(f"{path} is there already; name another with --out") from None
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from error


add_verbs(release, "release")
add_approval_verbs(release)
