"""Sample experiments for tests: their policy, their units, and the state around them."""

from types import SimpleNamespace
from typing import Any

from gateway.control.experiment_report import Standing
from gateway.control.policies import ArmPolicy, ExperimentPolicy
from gateway.core.arm_units import ArmUnits
from gateway.core.recorded import ArmOut, ExperimentStart

START = 1_000_000.0
DAY = 86_400.0
ARMS = (ArmPolicy("control", "1.0.0", 500_000), ArmPolicy("treatment", "1.1.0", 500_000))
BEGUN = ExperimentStart("support", "length", START, (("control", "1.0.0", 500_000), ("treatment", "1.1.0", 500_000)))


def policy(**changes: Any) -> ExperimentPolicy:
    """An experiment of two arms about feedback, with one secondary metric."""
    given = {
        "name": "length",
        "arms": ARMS,
        "control": "control",
        "primary": "feedback.resolved",
        "secondary": ("error_rate",),
        "over": None,
        "alpha": 0.05,
        "guardrails": (),
        "seconds": 7 * DAY,
    }
    return ExperimentPolicy(**{**given, **changes})


def standing(
    *, start: ExperimentStart | None = BEGUN, out: tuple[ArmOut, ...] = (), days: float = 3.0, **changes: Any
) -> Standing:
    """The experiment some days after its start."""
    return Standing("support", policy(**changes), start, out, START + days * DAY)


def units(metrics: tuple[str, ...] = ("feedback.resolved", "error_rate"), **arms: tuple[int, float]) -> ArmUnits:
    """For each arm so many units, of whom this share resolves; every tenth of their requests fails."""
    made, number = ArmUnits(metrics), 0
    for arm, (count, share) in arms.items():
        for place in range(count):
            number += 1
            sums = {
                "error_rate": (float(place % 5 == 0), 2.0),
                "feedback.resolved": (float(place < share * count), 1.0),
            }
            parts = [part for metric in metrics for part in sums[metric]]
            made.add(f"{number * 2654435761 % (1 << 32):08x}{number:024x}", arm, 2, 0, dict(enumerate(parts)))
    return made


def state(experiment: ExperimentPolicy | None, *starts: ExperimentStart, out: tuple[ArmOut, ...] = ()) -> Any:
    """What is known of the routes `support`, with an experiment or without, and `drafts`, without."""
    routes = {"support": SimpleNamespace(experiment=experiment), "drafts": SimpleNamespace(experiment=None)}
    return SimpleNamespace(policies=SimpleNamespace(routes=routes), experiments=starts, arms_out=out)
