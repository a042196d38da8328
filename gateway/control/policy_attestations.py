"""What stands beside the documents of a policy set: signing keys and the signed statements on its releases."""

import re
from collections.abc import Mapping

from gateway.control.policy_declared import Declaration, Declared, Findings
from gateway.control.policy_documents import SigningKeyDocument
from gateway.control.policy_text import Place, one_line
from gateway.control.policy_values import Attestation, SigningKeyPolicy
from gateway.control.signing_key import read_public_key
from gateway.core.attestation import read_envelope, read_statement
from gateway.core.errors import Problem

ENVELOPE = ".dsse.json"
PUBLIC_KEY = ".pub.pem"


def is_attached(file: str) -> bool:
    """Say whether a file of a policy set is no document, but something that documents speak of."""
    return file.endswith((ENVELOPE, PUBLIC_KEY))


def signing_keys_of(declared: Declared, files: Mapping[str, str]) -> dict[str, SigningKeyPolicy]:
    """Make the signing keys by name, from what their documents hold or the files that they name."""
    made: dict[str, SigningKeyPolicy] = {}
    for each in declared.all_of(SigningKeyDocument):
        found = _pem(each, declared.findings, files)
        try:
            if found is not None:
                place, pem = found
                made[each.keys.name] = SigningKeyPolicy(
                    each.keys.name, read_public_key(pem), each.keys.owner, each.where
                )
                continue
        except ValueError as error:
            said, _, remedy = str(error).rpartition("; ")
            declared.findings.wrong(each, place, f": {said}", remedy)
        declared.spoilt.add(("signing_key", each.keys.name))
    return made


def _pem(
    declared: Declaration[SigningKeyDocument], findings: Findings, files: Mapping[str, str]
) -> tuple[Place, str] | None:
    """Give the place that says a key, and the key's PEM; None where the file that it names is not there."""
    own = declared.keys.public_key
    if own.file is None:
        return ("public_key",), own.pem or ""
    place = ("public_key", "file")
    pem = files.get(own.file) if own.file.endswith(PUBLIC_KEY) else None
    if pem is not None:
        return place, pem
    said = f": there is no {one_line(own.file)!r} in the policy folder"
    remedy = f"name it from the folder on, as in keys/release{PUBLIC_KEY}; its name must end in {PUBLIC_KEY}"
    findings.wrong(declared, place, said, remedy)
    return None


def attestations_of(files: Mapping[str, str], findings: Findings) -> tuple[Attestation, ...]:
    """Read the signed statements of a set, noting each that is none."""
    made = []
    for file in sorted(files):
        if file.endswith(ENVELOPE):
            try:
                envelope = read_envelope(files[file])
                made.append(Attestation(file, envelope, read_statement(envelope)))
            except ValueError as error:
                said, _, remedy = re.sub(r"\s+", " ", str(error)).rpartition("; ")
                findings.problems.append(Problem(file, 1, said, remedy))
    return tuple(made)
