"""An anchor that is a file."""

import asyncio
import os
import threading

import pytest

from gateway.adapters.anchor_file import FileAnchor
from gateway.core.checkpoint import split_notes
from gateway.core.errors import AnchorFault, SetupFault
from tests.adapters.anchor_contract import checkpoint, holds

pytestmark = pytest.mark.anyio


async def test_it_is_an_anchor(tmp_path):
    """What it appends is what `pinion audit verify --anchor` reads."""
    path = tmp_path / "folder" / "anchor"
    path.parent.mkdir()

    def break_off():
        path.unlink()
        path.parent.rmdir()

    anchor = FileAnchor(path)
    assert f"FileAnchor('{path}')" == repr(anchor)
    await holds(anchor, lambda: split_notes(path.read_text(encoding="utf-8")), break_off)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused(tmp_path, make):
    """A pipe without a reader would have every checkpoint wait; it is said in one line, before anything serves."""
    make(tmp_path / "anchor")
    with pytest.raises(SetupFault, match=r"^--audit-anchor file:\S+ is not a regular file; name one") as caught:
        FileAnchor(tmp_path / "anchor")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("has_reader", [False, True])
async def test_a_pipe_in_the_files_place_is_a_fault_at_once(tmp_path, has_reader):
    """Whether or not somebody reads from it: what a pipe takes is kept nowhere."""
    path = tmp_path / "anchor"
    anchor = FileAnchor(path)
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
    async with asyncio.timeout(20):
        with pytest.raises(AnchorFault, match=r"^file:"):
            await anchor.send(checkpoint(1))
    if reader is not None:
        os.close(reader)


async def test_a_disk_that_hangs_is_a_fault_after_a_while(tmp_path):
    """Though what was begun there hangs for good; once that is over, checkpoints arrive again."""
    anchor, is_back = FileAnchor(tmp_path / "anchor", patience=0.05), threading.Event()
    with pytest.raises(TimeoutError):
        await anchor._writing.run(is_back.wait)
    with pytest.raises(AnchorFault, match=r"its disk has not written it within 0.05 s"):
        await anchor.send(checkpoint(1))
    is_back.set()
    anchor._writing._last.result(20)
    await FileAnchor(tmp_path / "anchor").send(checkpoint(1))
    assert [checkpoint(1).note] == split_notes((tmp_path / "anchor").read_text(encoding="utf-8"))
