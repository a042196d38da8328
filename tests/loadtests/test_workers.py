"""What more workers cost is told by the median of the rounds, and as missed where it is missed."""

import io

import pytest
from rich.console import Console

from loadtests.workers import Figure, table


@pytest.mark.parametrize(
    ("several", "ratio", "kept"),
    [((80, 120, 100), 1.0, "yes"), ((105, 105, 105), 1.05, "yes"), ((106, 90, 110), 1.06, "NO")],
)
def test_a_figure_is_the_median_of_its_rounds_ratios(several, ratio, kept):
    """Each round is compared within itself, since the machine is never the same for long."""
    figure = Figure("the same load", [100, 100, 100], several)
    out = io.StringIO()
    Console(file=out, width=120).print(table([figure], 2))

    assert ratio == figure.ratio
    assert all(part in out.getvalue() for part in ("the same load", "100 us", f"{ratio:.3f}", kept))
