"""The chart of an experiment."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.experiment_chart import COLOURS, MARGIN, WIDTH, chart
from gateway.control.experiment_report import report_of
from gateway.control.policies import ArmPolicy
from tests.cli.experiment_reports import HOSTILE, report
from tests.control.experiment_samples import standing, units

SVG = "{http://www.w3.org/2000/svg}"


def drawn(value) -> ET.Element:
    """The root of a chart."""
    return ET.fromstring(chart(value))  # noqa: S314 - our own picture


def texts(root):
    """Everything written in a chart."""
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_it_says_what_the_report_says():
    """The verdict as its title, each metric with the arms' values, and the numbers of the interval."""
    root = drawn(report())
    said = texts(root)
    assert said[0].startswith("treatment is better: feedback.resolved is 0.700")
    for text in (
        "feedback.resolved (primary)",
        "control 0.500, treatment 0.700",
        "+0.20",
        "+0.11 to +0.29",
        "error_rate",
    ):
        assert text in said
    assert "treatment is better" in root.get("aria-label")


def test_better_is_on_the_right():
    """Of metrics of which less is better, too; the colour says what is shown."""
    value = report()
    value["metrics"][1]["effects"][0].update(estimate=-0.05, low=-0.07, high=-0.03, shown="better")
    root = drawn(value)
    middle = float(next(line for line in root.iter(f"{SVG}line") if line.get("class") == "line").get("x1"))
    groups = list(root.iter(f"{SVG}g"))
    assert ["better", "better"] == [group.get("class") for group in groups]
    assert [COLOURS["better"]] * 2 == [group.get("color") for group in groups]
    assert all(float(group.find(f"{SVG}circle").get("cx")) > middle for group in groups)


def test_names_are_escaped_and_cut():
    """Whatever they hold, the picture stays well-formed and refers to nothing outside."""
    value = report()
    value["route"] = value["experiment"] = HOSTILE * 20
    value["verdict"]["text"] = f"{HOSTILE} {HOSTILE * 200}"
    value["metrics"][0]["metric"] = f"feedback.{HOSTILE * 9}"
    for one in value["metrics"][0]["arms"]:
        one["arm"] = {"control": "control", "treatment": HOSTILE}[one["arm"]]
    value["metrics"][0]["effects"][0]["arm"] = HOSTILE
    svg = chart(value)
    root = ET.fromstring(svg)  # noqa: S314 - our own picture
    assert {"svg", "style", "rect", "text", "line", "g", "circle"} >= {
        node.tag.removeprefix(SVG) for node in root.iter()
    }
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "\x1b" not in svg
    assert not re.search(r"url\(|href|<script|@import", svg)


def test_what_has_no_effect_has_no_bar():
    """It says why."""
    root = drawn(report_of(standing(), units(control=(20, 0.5), treatment=(20, 0.5))))
    assert 2 == texts(root).count("not enough units")
    assert [] == list(root.iter(f"{SVG}circle"))
    assert "control none, treatment none" in texts(drawn(report_of(standing(), units())))


def test_several_arms_are_rows_of_their_own():
    """With the arm's name before the metric's."""
    arms = tuple(ArmPolicy(name, "1.0.0", 300_000) for name in ("a", "b", "c"))
    made = standing(start=None, arms=arms, control="a")
    root = drawn(report_of(made, units(a=(150, 0.5), b=(150, 0.5), c=(150, 0.5))))
    assert {"b: feedback.resolved", "c: feedback.resolved", "c: error_rate"} <= set(texts(root))


def test_an_interval_of_the_planned_end_is_said_to_be_one():
    """It is not one to look at on the way."""
    assert any("intervals of one look at the planned end" in text for text in texts(drawn(report(days=8))))


@pytest.mark.untraced
@settings(max_examples=40)
@given(st.tuples(*[st.floats(-1e12, 1e12)] * 3).map(sorted), st.sampled_from(["higher", "lower"]))
def test_every_bar_stays_in_its_place(bounds, better):
    """However large or small the numbers are."""
    value = report()
    low, estimate, high = bounds
    value["metrics"][0]["better"] = better
    value["metrics"][0]["effects"][0].update(low=low, estimate=estimate, high=high)
    bar = next(drawn(value).iter(f"{SVG}g")).find(f"{SVG}line")
    left, right = float(bar.get("x1")), float(bar.get("x2"))
    assert MARGIN < left <= right < WIDTH - MARGIN


@pytest.mark.parametrize("name", ["ink", "faint", "paper", "line", "better", "worse", "no_difference", "not_believed"])
def test_a_dark_screen_has_colours_of_its_own(name):
    """For each class that is drawn."""
    assert f".{name}{{" in drawn(report()).find(f"{SVG}style").text
