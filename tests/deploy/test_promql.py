"""What an expression names is told, and a slip of the pen is seen."""

import pytest

from tests.deploy.promql import Named, named


@pytest.mark.parametrize(
    ("expression", "metrics", "labels"),
    [
        ("up", {"up"}, set()),
        (
            'sum by (route) (rate(pinion_a_total{track=~"x|y", app!="by"}[5m])) > 0.05',
            {"pinion_a_total"},
            {"route", "track", "app"},
        ),
        ("a - on (x) group_left (y) b offset 1d", {"a", "b"}, {"x", "y"}),
        ('rate(a{b="}"}[$__rate_interval]) * 1e3', {"a"}, {"b"}),
        ("summ(a)", {"summ", "a"}, set()),
        ('count(up{job="pinion"} == 1) or vector(0)', {"up"}, {"job"}),
    ],
)
def test_names_are_told(expression, metrics, labels):
    """Metrics apart from labels and from the words of the language; what is neither counts as a metric."""
    assert Named(frozenset(metrics), frozenset(labels)) == named(expression)


@pytest.mark.parametrize("expression", ["sum(a", "sum(a))", "rate(a[5m)]", 'a{b="c}'])
def test_what_is_left_open_is_refused(expression):
    """A bracket, and a quotation mark."""
    with pytest.raises(ValueError, match=r"left open|closes nothing"):
        named(expression)
