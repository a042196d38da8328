"""The page on security names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
MODULES = re.compile(r"`((?:core|wire|proxy|control|adapters|api)/\w+)`")


def test_what_the_page_names_is_there():
    """Each test by its file and, where it has one, its name; each module, too."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = NAMED.findall(page)
    assert len(named) > 30
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^(async )?def {test}\(", text, re.MULTILINE), f"{file}::{test}"
    for module in MODULES.findall(page):
        assert (ROOT / "gateway" / f"{module}.py").exists(), module
