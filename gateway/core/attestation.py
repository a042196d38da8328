"""An attestation: what a signer states of a release, as an in-toto Statement in a DSSE envelope.

DSSE v1.0 (secure-systems-lab/dsse) says how the envelope is written and what is signed, the in-toto Attestation
Framework v1 what the statement looks like. Checking a signature needs a key, which is not of the core.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.digest import canonical

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:pinion:release:v1"

MAX_ENVELOPE_CHARS = 256 * 1024
MAX_SIGNATURES = 16
MAX_SUBJECTS = 16

_SHA256 = re.compile("[0-9a-f]{64}")
_AGAIN = "sign the release again: pinion release sign"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope; `keyid` is a hint at the key, and proves nothing."""

    keyid: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload with its type."""

    payload_type: str
    payload: bytes = field(repr=False)
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return pre_authentication(self.payload_type, self.payload)

    def to_json(self) -> dict[str, Any]:
        """Write the envelope as a JSON object."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": each.keyid, "sig": base64.b64encode(each.value).decode()} for each in self.signatures
            ],
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """What is stated: the release `route/version`, and the SHA-256 digest of each subject by its name.

    The subjects are the release itself and what it is made of: `model:NAME@VERSION`, and `prompt:NAME@VERSION` and
    `card:ROUTE/VERSION` where there are such. `predicate` says the same for people, with the policy revision and the
    signer's time.
    """

    release: str
    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Give the Pre-Authentication Encoding of a payload (DSSE v1.0): what is signed binds the type to the bytes."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type.encode()), payload_type.encode(), len(payload), payload)


def statement_payload(statement: Statement) -> bytes:
    """Write a statement as an in-toto Statement v1; equal statements give equal bytes."""
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in statement.subjects.items()],
            "predicateType": PREDICATE_TYPE,
            "predicate": {**statement.predicate, "release": statement.release},
        }
    )


def read_envelope(text: str) -> Envelope:
    """Read a DSSE envelope. What the format does not know in it is passed over, as DSSE asks.

    Raises:
        ValueError: it is none; `problem; remedy`.
    """
    if len(text) > MAX_ENVELOPE_CHARS:
        raise ValueError(f"the envelope is over {MAX_ENVELOPE_CHARS} characters; {_AGAIN}")
    found = _object(text, "the envelope")
    match found:
        case {"payload": str(payload), "payloadType": str(kind), "signatures": [_, *_] as signatures}:
            if len(signatures) > MAX_SIGNATURES:
                raise ValueError(f"the envelope has more than {MAX_SIGNATURES} signatures; keep those that are needed")
            return Envelope(kind, _bytes(payload, "payload"), tuple(_signature(each) for each in signatures))
    raise ValueError(f"the file is no DSSE envelope: it needs payload, payloadType and signatures; {_AGAIN}")


def read_statement(envelope: Envelope) -> Statement:
    """Read what an envelope states of a release. Whether its signature is good is not asked here.

    Raises:
        ValueError: it states something else, or nothing that can be read; `problem; remedy`.
    """
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"the payload's type is {_brief(envelope.payload_type)}, not {PAYLOAD_TYPE}; {_AGAIN}")
    try:
        text = envelope.payload.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the payload is not UTF-8; {_AGAIN}") from None
    found = _object(text, "the payload")
    if found.get("_type") != STATEMENT_TYPE:
        raise ValueError(f"the payload is no in-toto Statement v1; {_AGAIN}")
    if found.get("predicateType") != PREDICATE_TYPE:
        said = f"the predicate's type is {_brief(found.get('predicateType'))}, not {PREDICATE_TYPE}"
        raise ValueError(f"{said}; move the file out of the policies")
    match found:
        case {"subject": [_, *_] as subjects, "predicate": {"release": str(release)} as predicate}:
            stated = Statement(release, _subjects(subjects), predicate)
            if release in stated.subjects:
                return stated
    raise ValueError(f"the statement names no release among its subjects; {_AGAIN}")


def _subjects(subjects: Sequence[Any]) -> dict[str, str]:
    if len(subjects) > MAX_SUBJECTS:
        raise ValueError(f"the statement has more than {MAX_SUBJECTS} subjects; {_AGAIN}")
    found: dict[str, str] = {}
    for subject in subjects:
        match subject:
            case {"name": str(name), "digest": {"sha256": str(sha256)}} if _SHA256.fullmatch(sha256):
                if name not in found:
                    found[name] = sha256
                    continue
        raise ValueError(f"a subject of the statement has no name of its own, or no SHA-256 digest; {_AGAIN}")
    return found


def _signature(given: Any) -> Signature:
    match given:
        case {"sig": str(sig)}:
            keyid = given.get("keyid")
            return Signature(keyid if isinstance(keyid, str) else "", _bytes(sig, "signature"))
    raise ValueError(f"a signature of the envelope has no sig; {_AGAIN}")


def _bytes(text: str, what: str) -> bytes:
    """Read base64, in the standard alphabet or the one for URLs: DSSE has a verifier take both."""
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the envelope's {what} is not base64; {_AGAIN}") from None


def _object(text: str, what: str) -> dict[str, Any]:
    """Read a JSON object in which no key is written twice: which of the two was signed would be anyone's guess."""
    try:
        found = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        raise ValueError(f"{what} is not JSON, or has a key twice; {_AGAIN}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{what} is not a JSON object; {_AGAIN}")  # noqa: TRY004  (a reader raises ValueError)
    return found


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is written twice")
    return made


def _brief(value: Any) -> str:
    return ascii(value)[:80]
