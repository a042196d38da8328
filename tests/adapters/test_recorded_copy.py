"""The last known record of the store, in a file."""

import json
import threading
from dataclasses import replace

import pytest

from gateway.adapters.recorded_copy import NoCopy, RecordedCopyFile
from gateway.core.recorded import Recorded
from tests.adapters.clock_and_journal import Journal
from tests.adapters.store_records import RECORDED

STORE = "postgresql://pinion@db/pinion"


@pytest.fixture
def journal():
    """An empty journal."""
    return Journal()


@pytest.fixture
def path(tmp_path):
    """Where the copy is."""
    return tmp_path / "pinion.copy"


@pytest.fixture
def copy(path, journal):
    """A copy that is not there yet."""
    return RecordedCopyFile(path, journal, STORE)


def test_what_was_kept_is_read(copy, path, journal):
    """By another process, too, and without a word in the journal."""
    copy.keep(RECORDED)
    assert RECORDED == copy.read() == RecordedCopyFile(path, journal, STORE).read()
    assert [] == journal.events
    assert f"RecordedCopyFile('{path}')" == repr(copy)


def test_nothing_was_kept_yet(copy, journal):
    """A first start has no copy, and that is nothing to speak of."""
    assert None is copy.read()
    assert [] == journal.events


def test_a_later_record_takes_the_place_of_the_one_before(copy, path):
    """One file, its owner's alone, with nothing beside it."""
    copy.keep(Recorded())
    copy.keep(RECORDED)
    assert RECORDED == copy.read()
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(path.parent.iterdir())


def test_the_same_epoch_is_not_written_again(copy, path):
    """The store is read once a second, and changes seldom; an epoch that went back is another record."""
    copy.keep(RECORDED)
    path.unlink()
    copy.keep(RECORDED)
    assert not path.exists()
    copy.keep(replace(RECORDED, epoch=6))
    assert 6 == copy.read().epoch


def test_what_a_killed_process_left_is_no_obstacle(copy, path):
    """Half a file beside the copy is none, and is replaced; a link there leads nowhere."""
    beside = path.with_name("pinion.copy.new")
    beside.symlink_to(path.parent / "elsewhere")
    copy.keep(RECORDED)
    assert RECORDED == copy.read()
    assert [path] == list(path.parent.iterdir())


def damaged(document):
    """Ways in which a copy is not what was written."""
    text = json.dumps(document)
    recorded = document["recorded"]
    return {
        "empty": "",
        "cut": text[:-10],
        "no JSON": "some notes",
        "no object": "[]",
        "nested": "[" * 200_000,
        "another format": json.dumps({**document, "format": 3}),
        "no format": json.dumps({"recorded": recorded}),
        "changed": text.replace("1.0.0", "1.0.1"),
        "no digest": json.dumps({"format": 4, "recorded": recorded}),
        "not UTF-8": text.replace("support", "\udcff"),
    }


@pytest.mark.parametrize("damage", damaged({"recorded": {}}).keys())
def test_a_damaged_copy_is_none_and_said_to_be(copy, path, journal, damage):
    """Whatever is wrong with the file, nothing is guessed from it; the next record replaces it."""
    copy.keep(RECORDED)
    text = damaged(json.loads(path.read_text()))[damage]
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert None is copy.read()
    ((name, level, fields),) = journal.events
    assert ("store copy cannot be read", "warning", str(path)) == (name, level, fields["file"])
    assert fields["reason"]
    copy.keep(replace(RECORDED, epoch=8))
    assert 8 == copy.read().epoch


def test_a_copy_of_something_else_is_none(copy, journal):
    """Even with a digest that is right: a rollout in a state that this version does not know."""
    rollout = replace(RECORDED.routes["support"].rollout, state=replace_state("dreaming"))
    copy.keep(replace(RECORDED, routes={"support": replace(RECORDED.routes["support"], rollout=rollout)}))
    assert None is copy.read()
    assert "dreaming" in journal.events[0][2]["reason"]


def replace_state(value):
    """Something with a value, as a state has."""
    return type("State", (), {"value": value})()


def test_what_cannot_be_kept_is_said_and_no_more(tmp_path, journal):
    """Serving goes on without a folder; once it is there, the record is kept."""
    folder = tmp_path / "later"
    copy = RecordedCopyFile(folder / "pinion.copy", journal, STORE)
    copy.keep(RECORDED)
    expected = {"file": str(folder / "pinion.copy"), "reason": "No such file or directory"}
    assert [("store copy cannot be kept", "warning", expected)] == journal.events
    folder.mkdir()
    copy.keep(RECORDED)
    assert RECORDED == copy.read()


def test_a_record_that_has_no_json_is_said_and_no_more(copy, journal):
    """Evidence is whatever a rule gave; what cannot be written leaves the file before in place."""
    copy.keep(RECORDED)
    arm = replace(RECORDED.arms_out[0], evidence={"cannot": object()})
    copy.keep(replace(RECORDED, epoch=8, arms_out=(arm,)))
    assert 7 == copy.read().epoch
    assert ["store copy cannot be kept"] == [name for name, *_ in journal.events]


def test_records_from_several_threads_are_kept_one_after_the_other(copy):
    """The last one to be kept is whole."""
    epochs = range(10)
    threads = [threading.Thread(target=copy.keep, args=[replace(RECORDED, epoch=epoch)]) for epoch in epochs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert copy.read() in [replace(RECORDED, epoch=epoch) for epoch in epochs]


def test_no_copy_keeps_nothing():
    """Where the store is a file of this machine, there is nothing to read in its place."""
    copy = NoCopy()
    copy.keep(RECORDED)
    assert None is copy.read()


def test_a_copy_of_another_store_is_none(path, journal):
    """A gateway that was given another store must not start from the one before."""
    RecordedCopyFile(path, journal, STORE).keep(RECORDED)
    assert RecordedCopyFile(path, journal, "postgresql://pinion@db/other").read() is None
    assert f"ValueError: it is a copy of {STORE}" == journal.events[-1][2]["reason"]
