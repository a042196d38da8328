"""The terms on which a process may serve."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """How this process may serve.

    `dev` lets served versions change, `open` lets anyone call without an application, `local` lets the operations API
    be served without an operator. `environment` names where it runs. `anchored` says that the audit trail is signed,
    and that its checkpoints are sent elsewhere.
    """

    dev: bool = False
    open: bool = True
    local: bool = True
    environment: str = "default"
    anchored: bool = False
