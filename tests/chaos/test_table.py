"""The table of a chaos run, as people, programs and the page get it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos.__main__ import FAULTS, arguments
from tests.chaos.fault import Fault, Findings, Means, Row, tried
from tests.chaos.table import as_json, chosen, publish, shown
from tests.chaos.traffic import Ledger

DOCS = Path(__file__).parents[2] / "docs"
WHEN = datetime(2026, 11, 26, tzinfo=UTC)
MACHINE = {"cpu": "a cpu", "cores": 2, "memory_gb": 23, "python": "CPython 3.11.7"}


def row(name="redis-frozen", *, most=1.0, fail=False) -> Row:
    """A row that was tried without a fleet."""

    def run(_means, found):
        found.note("[/NUMBER]")
        found.figure("stopped after", 0.5, most)
        if fail:
            raise RuntimeError("the gateway is not ready")

    return tried(Fault(name, "Redis | frozen", "at most 1 s", run, needs_fleet=False, runbook="x"), Means(None, DOCS))


def test_what_falls_short_is_marked():
    """A figure over its promise, requests that failed, and whatever was not foreseen."""
    assert ("[/NUMBER]; stopped after 0.5 s", True) == (row().findings.told(), row().findings.is_ok)
    late = row(most=0.1).findings
    assert ("[/NUMBER]; SHORT: stopped after 0.5 s", False, []) == (late.told(), late.is_ok, late.broken())
    broken = row(fail=True).findings
    assert ["RuntimeError: the gateway is not ready"] == broken.broken()
    found = Findings()
    assert not found.is_ok
    found.none_failed(Ledger([]))
    assert ["0 requests, 0 failed"] == found.broken()


def test_people_see_a_table():
    """With a verdict for each row."""
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123 - the device
    console.print(shown([row(), row("keys", most=0.1)]))
    console.file.close()
    text = console.export_text()
    assert ["ok", "short"] == re.findall(r"\b(ok|short)\b", text)


def test_programs_get_everything():
    """Date, machine, every row with its figures, and which fall short."""
    told = json.loads(as_json([row(), row("keys", most=0.1)], WHEN, MACHINE, 61.0))
    assert (["keys"], 2, "2026-11-26T00:00:00+00:00") == (told["short"], told["machine"]["cores"], told["date"])
    assert [{"stopped after": 0.5}] * 2 == [each["figures"] for each in told["rows"]]


def test_the_page_gets_its_part(tmp_path):
    """Between its marks; a row that was not tried again stays, and nothing else of the page changes."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- chaos:begin -->\nold\n<!-- chaos:end -->\nafter\n")
    publish(page, [row(), row("keys", most=0.1)], WHEN, MACHINE)
    text = page.read_text()
    assert text.startswith("before\n<!-- chaos:begin -->\n\nMeasured by `make chaos` on a cpu, 2 cores, 23 GB, CPython")
    assert "1 of 2 rows are as promised." in text
    told = "[Redis / frozen](operations.md#x) | at most 1 s | [/NUMBER]; stopped after 0.5 s | 26 November 2026 | ok |"
    assert f"| `redis-frozen`: {told}" in text
    assert text.endswith("\n<!-- chaos:end -->\nafter\n")
    publish(page, [row("keys")], WHEN, MACHINE)
    assert "2 of 2 rows are as promised." in page.read_text()
    assert ["redis-frozen", "keys"] == re.findall(r"^\| `(.+?)`", page.read_text(), re.MULTILINE)
    page.write_text("a page")
    with pytest.raises(ValueError, match="no <!-- chaos:begin -->"):
        publish(page, [], WHEN, MACHINE)


def test_faults_are_chosen_by_name(capsys):
    """An unknown one is refused with those there are."""
    assert ["keys"] == [fault.name for fault in arguments(["--only", "keys"]).faults]
    assert list(FAULTS) == chosen(FAULTS, [])
    for told, said in (
        (["--only", "nonsense"], "there is no fault nonsense; there are keys,"),
        (["--publish", "--quick"], "not with --quick"),
    ):
        with pytest.raises(SystemExit):
            arguments(told)
        assert said in capsys.readouterr().err


def test_every_fault_has_a_runbook():
    """Under a heading of the operations page."""
    headings = re.findall(r"^#+ (.+)$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set() == {fault.runbook for fault in FAULTS} - anchors
    assert len(FAULTS) == len({fault.name for fault in FAULTS})
