"""Where a registered version stands: what it is by its digest, how far its review is, and where it is in its life."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.core.digest import digest
from gateway.core.errors import VerbRefused
from gateway.core.lifecycle import Lifecycle, lived
from gateway.core.review import Review, reviewed

Kind = Literal["model", "prompt", "dataset", "release"]
KINDS: tuple[Kind, ...] = ("model", "prompt", "dataset", "release")

DUE = "the date that was announced for it has come"
"""Why a deprecated version is retired by itself."""

LATEST_END = 253_402_300_799.0
"""The last wall second that an HTTP date can say: the end of the year 9999 (RFC 9110, 5.6.7)."""

SERVED = "it has been in the way of requests"
"""Why a draft is frozen that serves."""

Key = tuple[str, str, str]
"""What names a version: its kind, its name (a release's is its route) and its version."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A version to be registered: `content` is what its digest covers, `facts` what else is known of it."""

    kind: Kind
    name: str
    version: str
    content: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.name, self.version

    @property
    def digest(self) -> str:
        """The digest of its content."""
        return digest(self.content)

    @property
    def facts_digest(self) -> str:
        """The digest of its facts."""
        return digest(self.facts)

    def __str__(self) -> str:
        return title(self.kind, self.name, self.version)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one version stands. Times are wall seconds.

    `digest` is of its content, `facts_digest` of what else is known of it. `author` is the person who registered it,
    None where a file did. `changed_at` and `reason` are of the latest move. `revision` counts the moves: of two at
    once, one is refused.
    """

    kind: Kind
    name: str
    version: str
    digest: str
    facts_digest: str
    registered_at: float
    author: str | None = None
    review: Review = Review.draft
    lifecycle: Lifecycle = Lifecycle.active
    changed_at: float = 0.0
    reason: str = ""
    deprecated_at: float | None = None
    retire_at: float | None = None
    successor: str | None = None
    revision: int = 1

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.name, self.version

    def __str__(self) -> str:
        return title(self.kind, self.name, self.version)

    @property
    def is_frozen(self) -> bool:
        """Whether its content can change no more."""
        return self.review is not Review.draft

    def why_out(self, now: float) -> str | None:
        """Say why it may serve nobody at wall time `now`, or None where it may."""
        if self.review is Review.revoked:
            return f"revoked: {self.reason}"
        if self.review is Review.rejected:
            return f"rejected: {self.reason}"
        if self.lifecycle is Lifecycle.retired:
            return f"retired: {self.reason}"
        return f"retired: {DUE}" if self.is_due(now) else None

    def is_due(self, now: float) -> bool:
        """Say whether it is to be retired at wall time `now`, since the date that was announced for it has come."""
        return self.lifecycle is Lifecycle.deprecated and self.retire_at is not None and now >= self.retire_at


def title(kind: str, name: str, version: str) -> str:
    """Name a version as messages do: `model gpt-4o@2024-08-06`, `release support-assistant/1.1.0`."""
    return f"{kind} {versioned(kind, name, version)}"


def versioned(kind: str, name: str, version: str) -> str:
    """Name a version where its kind is known: `gpt-4o@2024-08-06`, `support-assistant/1.1.0`."""
    return f"{name}{'/' if kind == 'release' else '@'}{version}"


def registered(entry: Entry, known: Standing | None, *, author: str | None, now: float) -> Standing:
    """Give where an entry stands once it is registered; `known` itself where nothing changes. `now` is wall seconds.

    What is known beside the content may be told anew at any time; the content of a draft alone.

    Raises:
        VerbRefused: a version of this name is known with other content, and can change no more; both digests are named.
    """
    digest_now, facts_now = entry.digest, entry.facts_digest
    if known is None:
        return Standing(entry.kind, entry.name, entry.version, digest_now, facts_now, now, author, changed_at=now)
    if (known.digest, known.facts_digest) == (digest_now, facts_now):
        return known
    if known.is_frozen and known.digest != digest_now:
        raise VerbRefused(
            f"{entry} is registered with the digest {known.digest[:12]}, and what is given has {digest_now[:12]}; "
            "versions are immutable: put it back, and publish a new version"
        )
    return replace(
        known,
        digest=digest_now,
        facts_digest=facts_now,
        author=author or known.author,
        changed_at=now,
        revision=known.revision + 1,
    )


def review(standing: Standing, verb: str, reason: str, now: float) -> Standing:
    """Move a version's review by a verb. `now` is wall seconds, here and below.

    Raises:
        VerbRefused: it does not take the verb.
    """
    return _moved(standing, now, reason, review=reviewed(str(standing), standing.review, verb))


def deprecate(
    standing: Standing, reason: str, now: float, *, retire_at: float | None, successor: str | None
) -> Standing:
    """Say that a version will end: at wall time `retire_at` where that is known, in favour of a successor's version.

    Raises:
        VerbRefused: it is retired, its end would come before now or after the year 9999, or it would succeed itself.
    """
    after = lived(str(standing), standing.lifecycle, "deprecate")
    if retire_at is not None and retire_at <= now:
        raise VerbRefused(f"{standing} would end before now; name a later date, or retire it")
    if retire_at is not None and retire_at > LATEST_END:
        raise VerbRefused(f"{standing} would end after the year 9999, which no answer can say; name an earlier date")
    if successor == standing.version:
        raise VerbRefused(f"{standing} cannot succeed itself; name another version")
    since = now if standing.deprecated_at is None else standing.deprecated_at
    return _moved(standing, now, reason, lifecycle=after, deprecated_at=since, retire_at=retire_at, successor=successor)


def retire(standing: Standing, reason: str, now: float) -> Standing:
    """End a version: it gets no request any more.

    Raises:
        VerbRefused: it is retired already.
    """
    return _moved(standing, now, reason, lifecycle=lived(str(standing), standing.lifecycle, "retire"))


def _moved(standing: Standing, now: float, reason: str, **changes: Any) -> Standing:
    return replace(standing, changed_at=now, reason=reason, revision=standing.revision + 1, **changes)
