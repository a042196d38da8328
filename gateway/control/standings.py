"""What the registry says of releases: which of them may serve nobody, and which say that they will end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate

from gateway.control.admissions import Admissions
from gateway.core.lifecycle import Lifecycle
from gateway.core.release import Header, Release
from gateway.core.standing import Key, Standing


@dataclass(frozen=True, slots=True)
class Standings:
    """Where registered versions stand, as it is at wall time `now`."""

    known: Mapping[Key, Standing]
    now: float
    admissions: Admissions | None = None

    def of(self, release: Release) -> Iterator[Standing]:
        """Give where a release, its model version and its prompt version stand, as far as they are registered."""
        for key in keys_of(release):
            standing = self.known.get(key)
            if standing is not None:
                yield standing

    def bar(self, release: Release) -> tuple[str, str] | None:
        """Say what keeps a release from serving, itself or by its parts: the rule (revoked, retired...), and why."""
        for standing in self.of(release):
            why = standing.why_out(self.now)
            if why is not None:
                rule, _, reason = why.partition(": ")
                return rule, why if standing.kind == "release" else f"{rule} with its {standing}: {reason}"
        unadmitted = None if self.admissions is None else self.admissions.why_out(release.route, release.version)
        return None if unadmitted is None else ("unapproved", unadmitted)

    def why_out(self, release: Release) -> str | None:
        """Say why a release may serve nobody; None where it may."""
        bar = self.bar(release)
        return None if bar is None else bar[1]

    def told(self, release: Release) -> Release:
        """Give a release whose answers say that it, or a part of it, is deprecated; itself where nothing is."""
        notice = tuple(_notice([each for each in self.of(release) if each.lifecycle is Lifecycle.deprecated]))
        return release if notice == release.notice else replace(release, notice=notice)


def keys_of(release: Release) -> Iterator[Key]:
    """Name the versions that a release is of: itself, its model version, its prompt version."""
    yield "release", release.route, release.version
    yield "model", release.model.model, release.model.version
    if release.prompt is not None:
        yield "prompt", release.prompt.name, release.prompt.version


def _notice(deprecated: list[Standing]) -> Iterator[Header]:
    """Give the headers of a release's end: since when (RFC 9745), until when (RFC 8594), and what comes after it."""
    since = [each.deprecated_at for each in deprecated if each.deprecated_at is not None]
    if since:
        yield b"deprecation", f"@{int(min(since))}".encode()
    ends = [each.retire_at for each in deprecated if each.retire_at is not None]
    if ends:
        yield b"sunset", formatdate(min(ends), usegmt=True).encode()
    for each in deprecated:
        if each.successor is not None:
            name = f"urn:pinion:{replace(each, version=each.successor)}".replace(" ", ":")
            yield b"link", f'<{name}>; rel="successor-version"'.encode()
