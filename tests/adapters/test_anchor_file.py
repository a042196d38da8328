"""An anchor that is a file."""

import pytest

from gateway.adapters.anchor_file import FileAnchor
from gateway.core.checkpoint import split_notes
from tests.adapters.anchor_contract import holds

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
