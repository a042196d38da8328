"""Sample reports of experiments, as the operations API answers them."""

from typing import Any

from gateway.control.experiment_report import report_of
from tests.control.experiment_samples import standing, units

HOSTILE = "<b>&\"'\x1b[31m]]>"
"""A name that no part of a picture may take for its own."""


def report(**changes: Any) -> dict[str, Any]:
    """A report of 600 units an arm, in which the treatment is better."""
    return report_of(standing(**changes), units(control=(600, 0.5), treatment=(600, 0.7)))
