"""Anchors by what the command line calls them: `file:PATH`, `git:PATH` or `https://...`."""

from collections.abc import Sequence
from pathlib import Path

from gateway.adapters.anchor_file import FileAnchor
from gateway.adapters.anchor_git import GitAnchor
from gateway.adapters.anchor_webhook import WebhookAnchor
from gateway.core.errors import SetupFault
from gateway.core.ports import Anchor, Clock


def anchors_of(named: Sequence[str], webhook_secret: str | None, clock: Clock) -> list[Anchor]:
    """Make the anchors that are named.

    Raises:
        SetupFault: one is of no known kind, or a webhook has no secret.
    """
    return [_anchor(name, webhook_secret, clock) for name in named]


def _anchor(name: str, webhook_secret: str | None, clock: Clock) -> Anchor:
    kind, _, rest = name.partition(":")
    match kind:
        case "file" if rest:
            return FileAnchor(Path(rest))
        case "git" if rest:
            return GitAnchor(Path(rest))
        case "https":
            if not webhook_secret:
                raise SetupFault("--audit-anchor: a webhook needs a secret; set PINION_AUDIT_WEBHOOK_SECRET")
            return WebhookAnchor(name, webhook_secret, clock)
    raise SetupFault(f"--audit-anchor {name[:50]!r} is no anchor; use file:PATH, git:PATH or https://HOST/PATH")
