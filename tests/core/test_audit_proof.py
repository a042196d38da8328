"""A proof of an entry: what is wrong with it is found, and nothing else is needed to find it."""

import json
from dataclasses import replace

import pytest

from gateway.adapters.ed25519_keys import new_key, sign, verify
from gateway.core.audit_proof import EntryProof, read_proof
from gateway.core.checkpoint import signed_checkpoint
from gateway.core.merkle import inclusion_proof
from tests.core.audit_chain import chain, edge_of

KEY = new_key("log.test")


def proof_of(seq=3, count=5, key=KEY):
    """A proof of one of so many entries."""
    told = chain(count)
    leaves = [bytes.fromhex(each.entry.hash) for each in told]
    made = signed_checkpoint(
        "log.test", count, edge_of(told).root.hex(), key.verifier, lambda message: sign(key, message)
    )
    return EntryProof(seq, told[seq - 1].entry.raw, tuple(inclusion_proof(leaves, seq - 1)), made)


def test_a_proof_is_carried_as_json():
    """It comes back as it was, and proves its entry, with the key or by its text alone."""
    proof = proof_of()
    again = read_proof(json.loads(json.dumps(proof.to_json())))
    assert proof == again
    assert [None, None] == [again.why_not(key, verify) for key in (KEY.verifier, None)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"raw": proof_of(2).raw}, "does not say that it is number 3"),
        ({"raw": b"no JSON"}, "does not say that it is number 3"),
        ({"raw": b"[3]"}, "does not say that it is number 3"),
        ({"raw": b'{"seq":"3"}'}, "does not say that it is number 3"),
        ({"raw": b'{"seq":3}'}, "do not lead from the entry to the root of the checkpoint of 5 entries"),
        ({"hashes": proof_of().hashes[:-1]}, "do not lead"),
        ({"hashes": proof_of(4).hashes}, "do not lead"),
        ({"checkpoint": proof_of(count=4).checkpoint}, "do not lead"),
        ({"checkpoint": proof_of(key=new_key("log.test")).checkpoint}, "is not signed by log.test"),
    ],
)
def test_what_proves_nothing(changes, why):
    """Another entry, other hashes, another checkpoint, another key: each is told."""
    assert why in replace(proof_of(), **changes).why_not(KEY.verifier, verify)


@pytest.mark.parametrize(
    "changes",
    [{"seq": "3"}, {"proof": [7]}, {"proof": ["xx"]}, {"checkpoint": {}}, {"checkpoint": {"note": "none"}}],
)
def test_what_is_no_proof(changes):
    """It is refused, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        read_proof({**proof_of().to_json(), **changes})
