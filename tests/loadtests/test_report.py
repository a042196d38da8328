"""JSON, tables and the page."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from loadtests.bench.publication import BEGIN, END, publish, with_block
from loadtests.bench.regression import compare
from loadtests.bench.report import Run, comparison_grid, scenario_grid, verdict_grid
from loadtests.bench.verdicts import verdicts

RUN = Run(
    date=datetime(2026, 11, 25, 12, tzinfo=UTC),
    machine={"cpu": "Some CPU", "cores": 2, "memory_gb": 24, "system": "Debian", "kernel": "Linux 6", "python": "3.11"},
    versions={"pinion": "0.1.0", "nginx": "1.22.1"},
    missing={"portkey": "needs node | npm"},
    faults={"tls/envoy": "envoy answers 503"},
    settings={"seconds": 3, "rounds": 2, "quick": False},
    results={
        "json-64": {
            "pinion": [
                {"per_second": 20_000, "cpu_us": 40.0, "p50_ms": 1.0, "p99_ms": 5.0, "memory_mb": 99, "errors": 0},
                {"per_second": 22_000, "cpu_us": 44.0, "p50_ms": 1.1, "p99_ms": 5.5, "memory_mb": 99, "errors": 0},
            ],
            "nginx": [
                {"per_second": 50_000, "cpu_us": 20.0, "p50_ms": 0.5, "p99_ms": 2.0, "memory_mb": 20, "errors": 0},
                {"per_second": 52_000, "cpu_us": 22.0, "p50_ms": 0.5, "p99_ms": 2.0, "memory_mb": 20, "errors": 0},
            ],
            "envoy": [{"per_second": 9, "cpu_us": 1.0, "errors": 0}, {"per_second": 9, "cpu_us": 1.0, "errors": 5}],
        }
    },
)


def test_the_document_holds_samples_medians_and_verdicts():
    """It is JSON, says what was installed and what was not, and every round can be read from it."""
    document = json.loads(json.dumps(RUN.as_json(verdicts(RUN.results))))
    assert {
        "date", "machine", "versions", "missing", "faults", "settings", "scenarios", "figures", "comparisons",
    } == set(document)  # fmt: skip
    pinion = document["scenarios"]["json-64"]["pinion"]
    assert 2 == len(pinion["rounds"])
    assert 42.0 == pinion["median"]["cpu_us"]
    assert 5 == document["scenarios"]["json-64"]["envoy"]["errors"]
    assert document["scenarios"]["json-64"]["envoy"]["median"]["cpu_us"] is None
    figure = next(one for one in document["figures"] if one["name"] == "CPU per request, to nginx's")
    assert (2.0, 1.6, False) == (figure["measured"], figure["goal"], figure["meets_goal"])


def test_a_table_has_ratios_to_pinion_and_errors_in_place_of_figures():
    """Rows are systems in the order of their turns."""
    grid = scenario_grid("json-64", RUN.results["json-64"])
    pinion, nginx, envoy = grid.rows
    assert ["pinion", "21,000", "42.0", "1.05", "5.25", "99", "1.00 x"] == list(pinion)
    assert ("nginx", "0.50 x") == (nginx[0], nginx[-1])
    assert ["envoy", "5 errors", "-"] == list(envoy[:3])
    assert {len(grid.headings)} == {len(row) for row in grid.rows}


def test_must_and_goal_stand_beside_what_was_measured():
    """Each figure is one row, whether or not it was measured."""
    rows = {row[0]: list(row[1:]) for row in verdict_grid(verdicts(RUN.results)).rows}
    assert ["-", "1.6 x", "2 x", "goal missed"] == rows["CPU per request, to nginx's"]
    assert ["1 x", "0.75 x", "not measured", "-"] == rows["CPU per request, to Envoy's"]


def test_the_comparison_says_what_is_worse():
    """A ratio beyond its limit, one within, and a peer that is not there."""
    compared = compare(
        {"request, to nginx's": [2.0], "event, to nginx's": [1.0]},
        {"request, to nginx's": [1.0], "event, to nginx's": [1.0]},
        missing=["envoy"],
    )
    words = {row[0]: row[-1] for row in comparison_grid(compared).rows}
    assert "WORSE" == words["CPU per request, to nginx's"]
    assert "no worse" == words["CPU per event, to nginx's"]
    assert "peer missing" == words["CPU per request, to Envoy's"]


def test_only_the_marked_block_of_a_page_changes():
    """What stands before and after it stays to the letter."""
    page = f"# Page\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    assert f"# Page\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n" == with_block(page, "new\n")


@pytest.mark.parametrize("page", ["# Page\n", f"# Page\n\n{BEGIN}\nwithout an end\n"])
def test_a_page_without_a_block_gets_one_at_its_end(page):
    """Nothing of the page is lost."""
    told = with_block(page, "new")
    assert told.startswith(page.rstrip())
    assert told.endswith(f"{BEGIN}\n\nnew\n\n{END}\n")


def test_publishing_writes_page_and_picture(tmp_path):
    """The page names machine, versions, missing peers and faults; the picture is one."""
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n", encoding="utf-8")
    publish(tmp_path, RUN, verdicts(RUN.results))
    publish(tmp_path, replace(RUN, settings={"seconds": 9, "rounds": 2}), verdicts(RUN.results))
    told = page.read_text(encoding="utf-8")
    assert (1, 1) == (told.count(BEGIN), told.count(END))
    for part in ("Some CPU", "2 rounds of 9 s", "| nginx | 1.22.1 |", "| portkey | missing: needs node / npm |"):
        assert part in told
    assert "`tls/envoy`: envoy answers 503" in told
    assert "](pictures/benchmarks.svg)" in told
    ET.parse(tmp_path / "pictures" / "benchmarks.svg")  # noqa: S314 - our own picture
