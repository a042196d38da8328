"""Proofs of the audit trail: that an entry is in it, and that one state of it is the beginning of another.

The hashes of all entries pass by once, beside the serving loop; a proof of a million keeps no more than twenty.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.core.audit_proof import EntryProof, describe_checkpoint
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import UnknownSubject, VerbRefused
from gateway.core.merkle import Span, SpanRoots, consistency_spans, inclusion_spans
from gateway.core.trail_ports import AuditTrail

AT_ONCE = 5_000
"""How many hashes are read at once."""


class AuditProofs:
    """Proves what a trail holds. Every method may raise StoreFault."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    async def inclusion(self, seq: int, size: int | None) -> dict[str, Any]:
        """Prove that an entry is among those of the checkpoint of `size` entries, or of the latest one.

        Raises:
            UnknownSubject: there is no such checkpoint, or no such entry before it.
            VerbRefused: entries before it are missing.
        """
        checkpoint = await self._checkpoint(size)
        if not 1 <= seq <= checkpoint.size:
            raise UnknownSubject(
                f"entry {seq} is not among the {checkpoint.size} of that checkpoint; of a later entry wait for the next"
            )
        hashes = await self._roots(inclusion_spans(seq - 1, checkpoint.size), checkpoint.size)
        found = await self._trail.entries(seq - 1, 1)
        if [each.entry.seq for each in found] != [seq]:
            raise _not_whole()
        return EntryProof(seq, found[0].entry.raw, tuple(hashes), checkpoint).to_json()

    async def consistency(self, first: int, second: int | None) -> dict[str, Any]:
        """Prove that the first entries are the beginning of more, up to the latest checkpoint where none are named.

        Raises:
            UnknownSubject: the trail has not so many entries, or `first` is none or more than `second`.
            VerbRefused: entries before `second` are missing.
        """
        end = (await self._checkpoint(None)).size if second is None else second
        head = await self._trail.head()
        size = 0 if head is None else head.size
        if not 1 <= first <= end <= size:
            raise UnknownSubject(f"no proof from {first} to {end} entries: 1 <= first <= second <= {size}")
        hashes = await self._roots(consistency_spans(first, end), end)
        sides = {"first": first, "second": end}
        told = {name: {"size": each, "checkpoint": await self._signed(each)} for name, each in sides.items()}
        return {**told, "proof": [each.hex() for each in hashes]}

    async def _signed(self, size: int) -> dict[str, Any] | None:
        found = await self._of_size(size)
        return None if found is None else describe_checkpoint(found)

    async def _of_size(self, size: int) -> Checkpoint | None:
        found = await self._trail.checkpoints(size - 1, 1)
        return next((each for each in found if each.size == size), None)

    async def _checkpoint(self, size: int | None) -> Checkpoint:
        if size is not None:
            found = await self._of_size(size)
            if found is None:
                raise UnknownSubject(f"no checkpoint of {size} entries is signed; leave size= out for the latest one")
            return found
        head = await self._trail.head()
        if head is None or head.checkpoint is None:
            raise UnknownSubject("no checkpoint is signed yet; start the gateway with --audit-key")
        return head.checkpoint

    async def _roots(self, spans: Sequence[Span], size: int) -> list[bytes]:
        """Give the roots of subtrees of the first `size` entries."""
        roots, after = SpanRoots(spans), 0
        while after < size:
            most = min(AT_ONCE, size - after)
            found = await self._trail.hashes(after, most)
            if len(found) != most:
                raise _not_whole()
            await asyncio.to_thread(roots.take, map(bytes.fromhex, found))
            after += most
        return roots.roots()


def _not_whole() -> VerbRefused:
    return VerbRefused("entries of the audit trail are missing, so nothing is proved of it; pinion audit verify")
