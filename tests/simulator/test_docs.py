"""The page about the simulator tells the keys that there are."""

import re
from dataclasses import fields
from pathlib import Path

from gateway.simulator.application import ENDPOINTS
from gateway.simulator.behaviour import Behaviour

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_every_key_is_told_with_its_default():
    """The table of the page has each key in the order of the code, with its default as a document writes it."""
    table = PAGE.partition("## Behaviour")[2].partition("## While it runs")[0]
    told = re.findall(r"^\| `(\w+)` \| (\S+) \|", table, re.MULTILINE)
    defaults = Behaviour()
    assert [(one.name, written(getattr(defaults, one.name))) for one in fields(Behaviour)] == told


def written(value):
    """A default as the page writes it."""
    return {"None": "null", "False": "false"}.get(str(value), str(value).removesuffix(".0"))


def test_every_endpoint_is_told():
    """The table of paths has each endpoint."""
    assert all(f"`POST {path}`" in PAGE for path in ENDPOINTS)
