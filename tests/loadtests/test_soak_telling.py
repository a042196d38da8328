"""What a soak tells in the end."""

import json
import xml.etree.ElementTree as ET

import pytest

from loadtests.soak.__main__ import arguments, conclude
from loadtests.soak.gates import gates
from loadtests.soak.telling import block, document, publish
from tests.loadtests.soak_samples import findings


@pytest.fixture
def found():
    """A soak that went well."""
    return findings()


def test_a_page_has_both_tables_and_the_picture(found, tmp_path):
    """Between its marks; the rest of it stays."""
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "soak.md"
    page.write_text("# Soak\n\n<!-- soak:begin -->\n\nold\n\n<!-- soak:end -->\n\nmore\n")
    publish(tmp_path, found, gates(found))
    told = page.read_text()
    assert told.startswith("# Soak\n")
    assert told.endswith("more\n")
    assert block(found, gates(found)) in told
    assert "old" not in told
    assert "2 cores (A processor), 8 GB, Linux 6, CPython 3.11" in told
    assert "| ledger | each request, once |" in told
    ET.parse(tmp_path / "pictures" / "soak.svg")  # noqa: S314 - our own


def test_a_document_has_gates_and_samples(found):
    """As JSON."""
    told = json.loads(json.dumps(document(found, gates(found))))
    assert {"ok"} == {gate["verdict"] for gate in told["gates"]}
    assert len(found.loads[0].looks) == len(told["loads"][0]["looks"])


@pytest.mark.parametrize(("audit", "code"), [("whole", 0), ("broken", 1)])
def test_the_exit_code_says_how_it_went(found, tmp_path, capsys, audit, code):
    """1 when a gate falls short; the tables are printed, picture and document written."""
    found.audit = audit
    wanted = arguments(["--folder", str(tmp_path), "--json", str(tmp_path / "soak.json")])
    assert code == conclude(wanted, found, gates(found))
    assert "memory of worker 1" in capsys.readouterr().out
    assert (tmp_path / "memory.svg").exists()
    assert (tmp_path / "soak.json").exists()


@pytest.mark.parametrize("told", [["--for", "1s"], ["--for", "soon"], ["--streams", "0"], ["--workers", "1"]])
def test_what_makes_no_soak_is_refused(told, capsys):
    """As on any command line."""
    with pytest.raises(SystemExit) as end:
        arguments(told)
    assert 2 == end.value.code
    assert "usage" in capsys.readouterr().err
