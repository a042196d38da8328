"""The Merkle tree of RFC 6962, against its definition and the vectors of Certificate Transparency."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.merkle import (
    EMPTY_ROOT,
    Edge,
    SpanRoots,
    consistency_proof,
    consistency_spans,
    inclusion_proof,
    inclusion_spans,
    leaf_hash,
    node_hash,
    proves_consistency,
    proves_inclusion,
)

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Google's certificate-transparency reference tree: the root after each leaf."""

HASHES = st.lists(st.binary(max_size=4).map(leaf_hash), max_size=40)


def naive_root(leaves):
    """`MTH` as RFC 6962, section 2.1, defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(2**power for power in range(8) if 2**power < len(leaves))
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def grown(leaves):
    """The edge of a tree that got these leaves, one after the other."""
    edge = Edge()
    for leaf in leaves:
        edge = edge.with_leaf(leaf)
    return edge


def test_the_known_roots():
    """The reference tree's roots come out, and the empty tree's is the hash of nothing."""
    edge = Edge()
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == edge.root
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        edge = edge.with_leaf(leaf_hash(bytes.fromhex(leaf)))
        assert root == edge.root.hex()


@given(HASHES)
def test_the_edge_grows_to_the_defined_root(leaves):
    """Leaf by leaf, its root is the recursive definition's, and it holds one hash for each bit of the size."""
    edge = grown(leaves)
    assert (len(leaves), naive_root(leaves)) == (edge.size, edge.root)
    assert edge.size.bit_count() == len(edge.roots)


def test_a_proof_that_is_too_short_or_too_long_proves_nothing():
    """Nor one for a place beyond the tree, or of a tree that is larger than the new one."""
    leaves = [leaf_hash(bytes([number])) for number in range(5)]
    root, begun = naive_root(leaves), naive_root(leaves[:3])
    proof = inclusion_proof(leaves, 2)
    assert proves_inclusion(leaves[2], 2, 5, proof, root)
    for place, changed in ((2, [*proof, root]), (2, proof[:-1]), (5, proof), (-1, proof)):
        assert not proves_inclusion(leaves[2], place, 5, changed, root)
    proof = consistency_proof(leaves, 3)
    assert proves_consistency((3, begun), (5, root), proof)
    for old, new, changed in (
        ((3, begun), (5, root), [*proof, root]),
        ((3, begun), (5, root), proof[:-1]),
        ((3, begun), (5, root), []),
        ((5, root), (3, begun), proof),
    ):
        assert not proves_consistency(old, new, changed)


@given(HASHES.filter(bool), st.data())
def test_inclusion_is_proved_of_the_leaf_alone(leaves, data):
    """Every leaf is proved at its place; another leaf, place, size, root or a changed proof is not."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root, size = inclusion_proof(leaves, index), naive_root(leaves), len(leaves)
    assert proves_inclusion(leaves[index], index, size, proof, root)
    assert not proves_inclusion(leaf_hash(b"another leaf"), index, size, proof, root)
    assert not proves_inclusion(leaves[index], index, size, proof, EMPTY_ROOT)
    assert not proves_inclusion(leaves[index], index, size, [*proof, root], root)
    assert not proves_inclusion(leaves[index], size, size, proof, root)
    if proof:
        assert not proves_inclusion(leaves[index], index, size, proof[:-1], root)


@given(HASHES.filter(bool), st.data())
def test_consistency_is_proved_of_the_beginning_alone(leaves, data):
    """Every earlier tree is proved to be the beginning; another root, size or a changed proof is not."""
    size = data.draw(st.integers(1, len(leaves)))
    old, new = (size, naive_root(leaves[:size])), (len(leaves), naive_root(leaves))
    proof = consistency_proof(leaves, size)
    assert proves_consistency(old, new, proof)
    assert not proves_consistency((size, EMPTY_ROOT), new, proof)
    assert not proves_consistency(old, (len(leaves), EMPTY_ROOT), proof)
    assert not proves_consistency(old, new, [*proof, EMPTY_ROOT])
    if proof:
        assert not proves_consistency(old, new, proof[:-1])
        assert not proves_consistency(new, old, proof)


def test_of_nothing_every_tree_is_a_continuation():
    """The empty tree needs no proof, and takes none."""
    root = leaf_hash(b"a")
    assert proves_consistency((0, EMPTY_ROOT), (1, root), [])
    assert not proves_consistency((0, root), (1, root), [])
    assert not proves_consistency((0, EMPTY_ROOT), (1, root), [root])


@pytest.mark.parametrize(("prove", "place"), [(inclusion_proof, 1), (inclusion_proof, -1), (consistency_proof, 0)])
def test_what_is_not_there_has_no_proof(prove, place):
    """A leaf or a size outside the tree is refused."""
    with pytest.raises(IndexError):
        prove([leaf_hash(b"a")], place)


def test_every_proof_of_small_trees_holds():
    """Of each leaf and each beginning, in every shape that a tree of up to 17 leaves has."""
    leaves = [leaf_hash(bytes([number])) for number in range(17)]
    roots = [naive_root(leaves[:size]) for size in range(18)]
    for size in range(1, 18):
        for part in range(1, size + 1):
            proof = inclusion_proof(leaves[:size], part - 1)
            assert proves_inclusion(leaves[part - 1], part - 1, size, proof, roots[size])
            proof = consistency_proof(leaves[:size], part)
            assert proves_consistency((part, roots[part]), (size, roots[size]), proof)


@given(HASHES.filter(bool), st.data())
def test_a_proof_is_made_of_leaves_that_pass_by(leaves, data):
    """In pieces of any length, with none of them kept, it is the proof that is made of all of them."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    cut = data.draw(st.integers(0, len(leaves)))
    for spans, expected in (
        (inclusion_spans(index, len(leaves)), inclusion_proof(leaves, index)),
        (consistency_spans(index + 1, len(leaves)), consistency_proof(leaves, index + 1)),
    ):
        roots = SpanRoots(spans)
        roots.take(leaves[:cut])
        roots.take(leaves[cut:])
        assert expected == roots.roots()
        assert f"<SpanRoots of {len(spans)} at leaf {len(leaves)}>" == repr(roots)
