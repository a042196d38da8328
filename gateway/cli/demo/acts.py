"""The acts of the demo: for each rollout what is told of it, and what befalls its release."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.cli.demo.policies import BREAKING, BROKEN, PACES, SLOW, SLOWING, SOUND, ReleaseName


@dataclass(frozen=True, slots=True)
class Act:
    """A part of the demo: one rollout.

    `trouble` is what befalls its release `good_seconds` after the first step with users; `befalls` says it.
    """

    number: int
    title: str
    sentence: str
    release: ReleaseName
    plan: str
    good_seconds: float = 0.0
    trouble: Mapping[str, object] = field(default_factory=dict)
    befalls: str = ""


ACTS = (
    Act(
        1,
        "a sound release",
        f"The file now says `serve: {SOUND.version}`, by plan careful; the gateway does the rest.",
        SOUND,
        "careful",
    ),
    Act(
        2,
        "a release that turns slow",
        f"`serve: {SLOWING.version}`, by plan brisk. With users on it, it slows; no breaker sees that.",
        SLOWING,
        "brisk",
        trouble=SLOW,
        befalls=f"the provider of {SLOWING.version} now writes {SLOW['rate']} tokens a second,"
        f" not {PACES[SLOWING.model]['rate']}",
    ),
    Act(
        3,
        "a release that breaks",
        f"`serve: {BREAKING.version}`, by plan brisk. With users on it, it breaks outright.",
        BREAKING,
        "brisk",
        good_seconds=2.0,
        trouble=BROKEN,
        befalls=f"the provider of {BREAKING.version} now answers 503 or breaks off",
    ),
)
