"""An experiment's arms, as they are recorded, and whether a change of them leaves its units comparable."""

from collections.abc import Sequence

from gateway.control.policies import ExperimentPolicy

Arm = tuple[str, str, int]
"""An arm as it is recorded: name, release version, share in parts per million."""


def arms_of(experiment: ExperimentPolicy) -> tuple[Arm, ...]:
    """Give an experiment's arms as they are recorded."""
    return tuple((arm.name, arm.release, arm.ppm) for arm in experiment.arms)


def are_comparable(began: Sequence[Arm], now: Sequence[Arm]) -> bool:
    """Say whether units of the arms that an experiment began with are comparable with those of its arms now.

    They are where the arms are the same, or their shares have all grown by the same factor: that moves nobody between
    arms, and the newcomers fall on them in the proportion of those who were there. Their order is that of their ranges:
    arms that have changed places have changed their units.
    """
    then, grown = list(began), list(now)
    if then == grown:
        return True
    before, after = (sum(share for _, _, share in arms) for arms in (then, grown))
    return 0 < before <= after and [(*arm, share * after) for *arm, share in then] == [
        (*arm, share * before) for *arm, share in grown
    ]
