"""The terms on which a process may serve."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """How this process may serve: `dev` lets served versions change, `open` lets anyone call without an application.

    `environment` names where it runs.
    """

    dev: bool = False
    open: bool = True
    environment: str = "default"
