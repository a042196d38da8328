"""The actions that docs/audit.md says the audit trail tells: the one table of them."""

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


@cache
def told_actions() -> frozenset[str]:
    """Give every action of the page's table; a bare verb there is of the family of the one before."""
    section = PAGE.read_text(encoding="utf-8").partition("## What is told\n")[2]
    table = section.strip().partition("\n\n")[0]
    found = []
    for row in table.splitlines()[2:]:
        family = ""
        for word in re.findall(r"`([a-z_.]+)`", row.split("|")[1]):
            family = word.partition(".")[0] if "." in word else family
            found.append(word if "." in word else f"{family}.{word}")
    return frozenset(found)
