"""Policy sets whose releases are signed."""

import json

from gateway.control.policies import load
from gateway.control.signatures import statement_of
from gateway.control.signing_key import new_pair, read_private_key
from gateway.core.attestation import PAYLOAD_TYPE, statement_payload
from tests.control.serving_world import files, route

PAIRS = {"ada": new_pair("ed25519"), "ben": new_pair("ecdsa-p256"), "eve": new_pair("ed25519")}
PUBLIC = {name: public for name, (_, public) in PAIRS.items()}
KEYS = {name: f"kind: signing_key\nname: {name}\npublic_key: {json.dumps(public)}\n" for name, public in PUBLIC.items()}


def unsigned_set(*, required: bool = True, releases: str = "1.0.0", more: str = "") -> dict[str, str]:
    """A route that asks for a signature by ada or ben, and has none."""
    asks = "require_signature: [ada, ben]\n" if required else ""
    return files(route(releases=releases, more=asks + more), KEYS["ada"], KEYS["ben"])


def signature(version: str, *, by: str, of: dict[str, str] | None = None) -> str:
    """The envelope of a release of a set, signed by somebody."""
    statement = statement_of(load(of or unsigned_set()), "desk", version, "2026-11-25T00:00:00Z")
    envelope = read_private_key(PAIRS[by][0]).sign(PAYLOAD_TYPE, statement_payload(statement))
    return json.dumps(envelope.to_json())


def signed_set(version: str, *, by: str, required: bool = True) -> dict[str, str]:
    """The same route with a signature."""
    return {**unsigned_set(required=required), f"desk-{version}.dsse.json": signature(version, by=by)}
