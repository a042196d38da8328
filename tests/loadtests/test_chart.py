"""The chart as a picture."""

from xml.etree import ElementTree as ET

from loadtests.bench.chart import OWN, chart, panel

SVG = "{http://www.w3.org/2000/svg}"

VALUES = {"litellm": 8000.0, "pinion": 40.0, "a <b> & c": 50.0, "portkey": None, "nginx": 20.0}


def drawn(values=VALUES) -> ET.Element:
    """The root of a chart with one panel."""
    told = chart("CPU", "noted", [panel("a request", "microseconds", values, "pinion")])
    return ET.fromstring(told)  # noqa: S314 - our own picture


def test_it_is_well_formed_and_names_every_system():
    """Names are escaped; one without a value is left out."""
    texts = [text.text for text in drawn().iter(f"{SVG}text")]
    assert {"nginx", "pinion", "a <b> & c", "litellm"} <= set(texts)
    assert "portkey" not in texts
    assert {"20.0", "40.0", "8,000"} <= set(texts)


def test_bars_are_ordered_and_ours_stands_out():
    """The smallest is first; Pinion's has its own colour."""
    bars = list(drawn().iter(f"{SVG}rect"))[1:]
    widths = [float(bar.get("width")) for bar in bars]
    assert sorted(widths) == widths
    assert [False, True, False, False] == [OWN == bar.get("fill") for bar in bars]


def test_a_bar_that_is_far_too_long_is_cut():
    """Its mark says so, and nothing leaves the picture."""
    root = drawn()
    assert 1 == len(list(root.iter(f"{SVG}path")))
    right = max(float(bar.get("x") or 0) + float(bar.get("width")) for bar in root.iter(f"{SVG}rect"))
    assert right <= float(root.get("width"))


def test_without_values_there_is_no_panel():
    """A run that measured nothing still gives a picture."""
    assert [] == list(drawn({})[3:])
