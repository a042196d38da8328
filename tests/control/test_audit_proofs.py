"""Proofs of the audit trail: each checked as somebody would who trusts nobody."""

import pytest

from gateway.adapters.ed25519_keys import verify
from gateway.control.audit_proofs import AT_ONCE, AuditProofs
from gateway.core.audit_proof import read_proof
from gateway.core.errors import VerbRefused
from gateway.core.merkle import proves_consistency
from tests.control.audit_world import Trail
from tests.control.serving_world import Store
from tests.control.test_audit_reading import act, signed_of

pytestmark = pytest.mark.anyio


async def trail_of(count):
    """A trail of so many entries, whose store is read a few at a time."""
    store = Store()
    store.disk.acts += [act(number) for number in range(count)]
    return Trail(store)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
async def test_every_entry_is_proved_by_every_checkpoint_after_it(count):
    """And every checkpoint is the continuation of each before it."""
    trail, made = await trail_of(0), []
    for number in range(count):
        trail.store.disk.acts.append(act(number))
        made.append(await signed_of(trail))
    proofs = AuditProofs(trail)
    for checkpoint, key in made:
        for seq in range(1, checkpoint.size + 1):
            proof = read_proof(await proofs.inclusion(seq, checkpoint.size))
            assert (None, checkpoint) == (proof.why_not(key, verify), proof.checkpoint)
            told = await proofs.consistency(seq, checkpoint.size)
            sides = [(each.size, bytes.fromhex(each.root)) for each in (made[seq - 1][0], checkpoint)]
            assert proves_consistency(*sides, [bytes.fromhex(each) for each in told["proof"]])


@pytest.mark.untraced
async def test_a_long_trail_is_read_in_pieces():
    """No more hashes at once than are good for those who are served meanwhile."""
    trail, asked = await trail_of(AT_ONCE + 3), []
    _, key = await signed_of(trail)
    read, told = trail.hashes, trail._told()
    trail.tamper, trail._told = (lambda _: told), lambda: told

    async def hashes(after, most):
        asked.append(most)
        return await read(after, most)

    trail.hashes = hashes
    proof = read_proof(await AuditProofs(trail).inclusion(AT_ONCE + 1, AT_ONCE + 3))
    assert (None, [AT_ONCE, 3]) == (proof.why_not(key, verify), asked)


async def test_an_entry_that_is_another_is_not_given():
    """Its hash may be there, and the row be gone."""
    trail = await trail_of(3)
    await signed_of(trail)
    proofs = AuditProofs(trail)

    async def none(*_):
        return ()

    hashes = await trail.hashes(0, 3)
    trail.entries = none

    async def known(after, most):
        return hashes[after : after + most]

    trail.hashes = known
    with pytest.raises(VerbRefused, match="are missing"):
        await proofs.inclusion(2, None)
