"""The Merkle tree of RFC 6962, section 2: one hash that stands for every leaf before it, in order.

A leaf's hash is SHA-256(0x00 || leaf), a node's SHA-256(0x01 || left || right), so that neither passes for the other.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256().digest()
"""The root of no leaves."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf, to 32 bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees, given by their roots of 32 bytes, to the root of both."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """A tree of `size` leaves by its right edge: the roots of its whole subtrees, the largest first.

    There is one for each bit that is set in the size, so a leaf is added, and the root known, in O(log size).
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def with_leaf(self, leaf: bytes) -> "Edge":
        """Give the tree with one more leaf, by its hash."""
        roots, new, bit = list(self.roots), leaf, 1
        while self.size & bit:
            new = node_hash(roots.pop(), new)
            bit <<= 1
        return Edge(self.size + 1, (*roots, new))

    @property
    def root(self) -> bytes:
        """The Merkle tree hash of all leaves."""
        if not self.roots:
            return EMPTY_ROOT
        *lefts, root = self.roots
        for left in reversed(lefts):
            root = node_hash(left, root)
        return root


Span = tuple[int, int]
"""Leaves that follow one another, from one index up to and without another."""


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Name the subtrees whose roots prove the leaf at `index` of a tree of `size` leaves (RFC 6962, section 2.1.1).

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} among {size}")
    start, end, spans = 0, size, list[Span]()
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            spans.append((split, end))
            end = split
        else:
            spans.append((start, split))
            start = split
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Name the subtrees whose roots prove `old` leaves the beginning of `new` ones (RFC 6962, section 2.1.2).

    Raises:
        IndexError: `old` is not from 1 to `new`.
    """
    if not 0 < old <= new:
        raise IndexError(f"no tree of {old} leaves in one of {new}")
    start, end, spans = 0, new, list[Span]()
    while old != end:
        split = start + _split(end - start)
        if old <= split:
            spans.append((split, end))
            end = split
        else:
            spans.append((start, split))
            start = split
    is_known = start == 0  # whoever checks has the root of the old tree itself
    return spans[::-1] if is_known else [(start, end), *spans[::-1]]


class SpanRoots:
    """The roots of some subtrees of a tree whose leaves come in order, one after the other; no leaf is kept."""

    def __init__(self, spans: Sequence[Span]) -> None:
        """`spans` share no leaf."""
        self._spans = spans
        self._edges = dict.fromkeys(spans, Edge())
        self._left = sorted(spans, reverse=True)
        self._place = 0

    def __repr__(self) -> str:
        return f"<SpanRoots of {len(self._spans)} at leaf {self._place}>"

    def take(self, leaves: Iterable[bytes]) -> None:
        """Take more leaves, by their hashes."""
        for leaf in leaves:
            if self._left and self._place >= self._left[-1][1]:
                self._left.pop()
            if self._left and self._place >= self._left[-1][0]:
                span = self._left[-1]
                self._edges[span] = self._edges[span].with_leaf(leaf)
            self._place += 1

    def roots(self) -> list[bytes]:
        """Give the roots in the order of the spans; all leaves are taken."""
        return [self._edges[span].root for span in self._spans]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Prove that the leaf at `index` is among these, given by their hashes.

    Raises:
        IndexError: there is no such leaf.
    """
    return [_root(leaves[start:end]) for start, end in inclusion_spans(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Prove that the tree of the first `size` leaves is the beginning of the tree of all.

    Raises:
        IndexError: `size` is not from 1 to the number of leaves.
    """
    return [_root(leaves[start:end]) for start, end in consistency_spans(size, len(leaves))]


def proves_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether `proof` shows that the leaf of this hash is at `index` of the tree of `size` leaves and this root.

    The algorithm is that of RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Say whether `proof` shows that an old tree is the beginning of a new one, each given by its size and root.

    The algorithm is that of RFC 9162, section 2.1.4.2; of no leaves every tree is a continuation.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    if old_size in (new_size, 0):
        return not proof and (old_root == new_root if old_size else old_root == EMPTY_ROOT)
    if old_size > new_size or not proof:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    as_old = as_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            as_old, as_new = node_hash(sibling, as_old), node_hash(sibling, as_new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            as_new = node_hash(as_new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and as_old == old_root and as_new == new_root


def _root(leaves: Sequence[bytes]) -> bytes:
    edge = Edge()
    for leaf in leaves:
        edge = edge.with_leaf(leaf)
    return edge.root


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
