"""The page on access says what the table says."""

import re
from pathlib import Path

from gateway.core.access import CONFLICTS, GRANTED, PERMISSIONS, PERMITTED

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
ROLES = (*GRANTED, "approver", "local")


def written():
    """The two tables as the page should hold them."""
    rows = [["", *ROLES], ["---"] * (len(ROLES) + 1)]
    rows += [[f"`{one}`", *("yes" if one in PERMITTED[role] else "" for role in ROLES)] for one in PERMISSIONS]
    yield "permissions", rows
    yield "conflicts", [["not both", "", "because"], ["---"] * 3, *map(list, CONFLICTS)]


def test_the_tables_of_the_page_are_those_of_the_core():
    """Each stands under its mark, line by line."""
    for mark, rows in written():
        table = "\n".join(re.sub(" +", " ", f"| {' | '.join(row)} |") for row in rows)
        assert f"<!-- {mark} -->\n\n{table}\n\n" in PAGE, table
