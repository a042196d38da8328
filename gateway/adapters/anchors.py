"""Anchors by what the command line calls them: `file:PATH`, `git:PATH` or `https://...`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.adapters.anchor_file import FileAnchor
from gateway.adapters.anchor_git import GitAnchor
from gateway.adapters.anchor_webhook import NAMED, WebhookAnchor
from gateway.adapters.signed_post import SignedPost
from gateway.core.address import is_public
from gateway.core.errors import SetupFault
from gateway.core.ports import Clock
from gateway.core.trail_ports import Anchor


def anchors_of(
    named: Sequence[str], webhook_secret: str | None, clock: Clock, is_allowed: Callable[[str], bool] = is_public
) -> list[Anchor]:
    """Make the anchors that are named; `is_allowed` says which IP addresses a webhook may be at.

    Raises:
        SetupFault: one is of no known kind, a file is not a regular one, or a webhook has no secret.
    """
    return [_anchor(name, webhook_secret, clock, is_allowed) for name in named]


def _anchor(name: str, webhook_secret: str | None, clock: Clock, is_allowed: Callable[[str], bool]) -> Anchor:
    kind, _, rest = name.partition(":")
    match kind:
        case "file" if rest:
            return FileAnchor(Path(rest))
        case "git" if rest:
            return GitAnchor(Path(rest))
        case "https":
            return WebhookAnchor(SignedPost(name, webhook_secret, clock, NAMED, is_allowed=is_allowed), clock)
    raise SetupFault(f"--audit-anchor {name[:50]!r} is no anchor; use file:PATH, git:PATH or https://HOST/PATH")
