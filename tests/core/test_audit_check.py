"""What a check of an audit trail finds: each kind of tampering by its name and place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.audit import Entry, Salted, ToldEntry
from gateway.core.audit_check import LONGEST_GAP, MOST_FINDINGS, Check
from gateway.core.checkpoint import Checkpoint, VerifierKey, signed_checkpoint
from gateway.core.merkle import leaf_hash
from tests.core.audit_chain import altered, chain, edge_of

KEY = VerifierKey("log.test", b"k" * 32)


def sign(message):
    """A signature that anyone could make, for tests of what is done with a good one."""
    return message[:1].ljust(64, b"s")


def verify(public, message, signature):
    """Whether `sign` made it."""
    return public == KEY.public and signature == sign(message)


def checkpoint(told, name="log.test"):
    """A checkpoint of all these entries."""
    return signed_checkpoint(name, len(told), edge_of(told).root.hex(), KEY, sign)


def verdict(told, *, original=None, checkpoints=(), key=None):
    """What a check says of entries, where the tree is that of `original`, or not known."""
    check = Check(checkpoints, key, verify)
    check.take(told)
    return check.end(
        0 if original is None else len(original), None if original is None else edge_of(original).root.hex()
    )


def found(told, **known):
    """The kinds and places of what is found."""
    return [(finding.kind, finding.seq) for finding in verdict(told, **known).findings]


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_whole_trail_is_whole(length, signed):
    """In however many pieces it comes, with its tree and a checkpoint on the way."""
    whole = chain(40)
    told = whole[:length]
    check = Check([checkpoint(whole[:signed])], KEY, verify)
    for each in told:
        check.take([each])
    ended = check.end(length, edge_of(told).root.hex())
    if signed <= length:
        assert (True, length, int(signed > 0)) == (ended.is_whole, ended.entries, ended.checkpoints)
        assert edge_of(told).root.hex() == ended.root
    else:
        assert [("truncated", length + 1)] == [(finding.kind, finding.seq) for finding in ended.findings]


@pytest.mark.parametrize("place", [0, 3, 9])
def test_changed_bytes_are_modified(place):
    """At the entry itself, and at no other."""
    told = chain(10)
    assert [("modified", place + 1)] == found([*told[:place], altered(told[place]), *told[place + 1 :]], original=told)


@pytest.mark.parametrize("place", [0, 3, 9])
def test_a_fitting_hash_does_not_help(place):
    """The next entry tells, or for the last one the tree."""
    told = chain(10)
    tampered = [*told[:place], altered(told[place], rehashed=True), *told[place + 1 :]]
    assert [("modified", place + 1)] == found(tampered, original=told)


def test_a_rewritten_trail_is_told_by_its_tree_or_a_checkpoint():
    """Consistent in itself, it is not what was signed."""
    told = chain(10)
    rewritten = [*told[:3], *chain(7, told[2].entry.hash, 4, "rollout.explode")]
    assert [] == found(rewritten)
    assert [("modified", 10)] == found(rewritten, original=told)
    assert [("modified", 5)] == found(rewritten, checkpoints=[checkpoint(told[:2]), checkpoint(told[:5])])


@pytest.mark.parametrize(("gone", "first"), [(slice(0, 2), 1), (slice(4, 5), 5), (slice(4, 7), 5)])
def test_entries_taken_out_are_missing(gone, first):
    """From the first one that is."""
    told = chain(10)
    left = [*told]
    del left[gone]
    (finding,) = verdict(left, original=told).findings
    assert ("missing", first) == (finding.kind, finding.seq)
    assert "restore" in finding.remedy


def test_entries_put_in_twice_are_duplicated():
    """At their own place, or later under another number; what follows is checked on."""
    told = chain(10)
    assert [("duplicated", 4)] == found([*told[:4], told[3], *told[4:]], original=told)
    assert [("duplicated", 4)] == found([*told[:8], told[3], *told[8:]], original=told)
    moved = replace(told[3], entry=replace(told[3].entry, seq=11))
    assert [("duplicated", 11)] == found([*told, moved], original=told)
    assert [("duplicated", 14), ("missing", 11)] == found([*told, replace(moved, entry=replace(moved.entry, seq=14))])


@pytest.mark.parametrize("length", [1, 3])
def test_two_entries_after_one_are_a_fork(length):
    """Whichever branch went on."""
    told = chain(10)
    branch = chain(length, told[3].entry.hash, 5, "rollout.explode")
    both = [*told[:5], branch[0], *told[5:]]
    assert [("forked", 5)] == found(both, original=told)
    assert [("forked", 5)] == found([*told[:4], branch[0], told[4], *told[5:]])
    assert [("forked", 5)] == found([*told[:7], branch[0], *told[7:]])


@pytest.mark.parametrize("known", ["tree", "checkpoint"])
def test_a_lost_end_is_truncated(known):
    """Where something knows how long it was."""
    told = chain(10)
    knows = {"original": told} if known == "tree" else {"checkpoints": [checkpoint(told)], "key": KEY}
    (finding,) = verdict(told[:7], **knows).findings
    assert ("truncated", 8, "entries 8 to 10 are cut off the end") == (finding.kind, finding.seq, finding.message)
    assert [("truncated", 10)] == found(told[:9], **knows)
    assert [] == found(told[:7])


def test_a_checkpoint_must_be_signed():
    """By the key that is given; one that is no note is none, and without a key only its text counts."""
    told = chain(4)
    other = replace(checkpoint(told), note=checkpoint(told).note.replace("log.test", "other.test"))
    assert [("unsigned", 4)] == found(told, checkpoints=[other], key=KEY)
    assert [("unsigned", 9)] == found(told, checkpoints=[Checkpoint("log.test", 9, "", "nonsense")])
    assert [] == found(told, checkpoints=[other])
    forged = signed_checkpoint("log.test", 4, "00" * 32, KEY, sign)
    assert [("modified", 4)] == found(told, checkpoints=[forged], key=KEY)


def test_an_entry_of_another_trail_is_modified():
    """A store's own chain has its own name."""
    told = chain(4)
    raw = told[3].entry.raw.replace(b"c0ffee", b"c0ffff")
    alien = ToldEntry(Entry(4, raw, leaf_hash(raw).hex()))
    (finding,) = verdict([*told[:3], alien]).findings
    assert ("modified", 4, "entry 4 is of another trail, c0ffff") == (finding.kind, finding.seq, finding.message)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"seq": 2}', b"\xff"])
def test_what_is_no_entry_is_modified(raw):
    """Whatever stands there instead."""
    told = chain(3)
    assert [("modified", 2)] == found([told[0], ToldEntry(Entry(2, raw, told[1].entry.hash)), told[2]])
    assert [("missing", 1), ("modified", 3)] == sorted(found([ToldEntry(Entry(3, raw, ""))]))


def test_a_first_entry_that_is_not_the_first():
    """It names one before it, which cannot be."""
    (first,) = chain(1, "ab" * 32)
    (finding,) = verdict([first]).findings
    assert ("modified", 0) == (finding.kind, finding.seq)
    assert "names one before it" in finding.message


def test_a_name_or_a_reason_must_be_the_recorded_one():
    """Erased ones are no finding; changed ones are."""
    told = chain(3)
    assert [] == found([replace(told[0], actor=None), replace(told[1], reason=None), told[2]])
    assert [("modified", 1)] == found([replace(told[0], actor=Salted(b"s" * 32, "eve")), *told[1:]])
    assert [("modified", 2)] == found([told[0], replace(told[1], reason=Salted(b"x" * 32, "because")), told[2]])


def test_many_findings_are_counted():
    """The first are told, the others are a number."""
    told = [altered(each) for each in chain(MOST_FINDINGS + 5)]
    ended = verdict(told)
    assert (MOST_FINDINGS, MOST_FINDINGS + 5, False) == (len(ended.findings), ended.count, ended.is_whole)


def test_an_endless_gap_takes_no_endless_memory():
    """What claims to be entry 10**15 is one finding."""
    (late,) = chain(1, first=10**15)
    check = Check()
    check.take([late])
    assert len(check._state.known) <= LONGEST_GAP + 1
    assert "<Check 1000000000000000 entries, 1 findings>" == repr(check)


def test_an_export_that_was_cut_off_says_so():
    """Where nothing tells how long the trail is, it is not taken for whole."""
    check = Check()
    check.take(chain(3))
    (finding,) = check.cut_off().findings
    assert ("truncated", 4) == (finding.kind, finding.seq)


def test_an_altered_copy_of_an_earlier_entry():
    """It is found where it stands, and what follows is checked on."""
    told = chain(5)
    assert [("modified", 2)] == found([*told[:4], altered(told[1]), told[4]], original=told)


def test_a_checkpoint_that_cannot_be_compared_is_no_second_finding():
    """Where entries are missing, no root can be made out; one finding says why."""
    told = chain(5)
    ended = verdict([told[0], *told[2:]], original=told, checkpoints=[checkpoint(told[:4])])
    assert ([("missing", 2)], 0) == ([(each.kind, each.seq) for each in ended.findings], ended.checkpoints)
