"""Signatures of releases: what a signer states of one, and whether a policy set's releases are signed as it asks."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.control.policy_values import Attestation, Policies, RoutePolicy
from gateway.core.attestation import Statement
from gateway.core.errors import Problem, UnknownSubject


def statement_of(policies: Policies, route: str, version: str, signed_at: str) -> Statement:
    """Make the statement that a signer of a release puts a name to, at the time `signed_at` (ISO 8601).

    Raises:
        UnknownSubject: the set declares no such release.
    """
    subjects = subjects_of(policies, route, version)
    own = policies.routes[route].releases[version]
    predicate: dict[str, Any] = {"model": own.model, "policy_revision": policies.revision, "signed_at": signed_at}
    if own.prompt is not None:
        predicate["prompt"] = own.prompt
    return Statement(f"{route}/{version}", subjects, predicate)


def subjects_of(policies: Policies, route: str, version: str) -> dict[str, str]:
    """Give the digest of a release and of what it is made of, by the names that statements use.

    Raises:
        UnknownSubject: the set declares no such release.
    """
    policy = policies.routes.get(route)
    if policy is None:
        raise UnknownSubject.route(route, policies.routes)
    release = policy.releases.get(version)
    if release is None:
        raise UnknownSubject(f"route {route} has no release {version[:64]!r}; there is {', '.join(policy.releases)}")
    subjects = {f"{route}/{version}": release.digest, f"model:{release.model}": policies.models[release.model].digest}
    if release.prompt is not None:
        subjects[f"prompt:{release.prompt}"] = policies.prompts[release.prompt].digest
    cards = (policies.cards[name] for name in (f"{route}/{version}", release.model) if name in policies.cards)
    return subjects | {f"card:{each.card.subject}": each.card.digest for each in cards}


def doubts(policies: Policies, statement: Statement) -> list[str]:
    """Say what a statement states otherwise than a policy set has it; nothing where all of it holds."""
    route, _, version = statement.release.partition("/")
    try:
        held = subjects_of(policies, route, version)
    except UnknownSubject:
        return [f"the policies declare no release {ascii(statement.release)[1:-1][:200]}"]
    found = []
    for name, sha256 in statement.subjects.items():
        shown = ascii(name)[1:-1][:200]
        if name not in held:
            found.append(f"the policies hold no {shown} with this release")
        elif held[name] != sha256:
            found.append(f"it states {sha256[:12]} of {shown}, which is {held[name][:12]} in the policies")
    return found


def stale(policies: Policies) -> list[Problem]:
    """Find the statements of a set that its releases have outgrown, or that are of no release of it."""
    remedy = "sign it again with pinion release sign, or remove the file"
    return [
        Problem(
            each.file,
            1,
            f"the statement on {ascii(each.statement.release)[1:-1][:200]} no longer holds: {said}",
            remedy,
        )
        for each in policies.attestations
        for said in [", and ".join(doubts(policies, each.statement))]
        if said
    ]


def unsigned(policies: Policies) -> list[Problem]:
    """Find the releases that no key which their route asks for has signed as they stand; retired ones need none."""
    by_release: dict[str, list[Attestation]] = {}
    for attestation in policies.attestations:
        by_release.setdefault(attestation.statement.release, []).append(attestation)
    return [
        problem
        for route in policies.routes.values()
        if route.require_signature
        for problem in _unsigned(policies, route, by_release)
    ]


def _unsigned(policies: Policies, route: RoutePolicy, by_release: Mapping[str, list[Attestation]]) -> Iterator[Problem]:
    names = " or ".join(route.require_signature)
    for version, release in route.releases.items():
        subject = f"{route.name}/{version}"
        given = by_release.get(subject, [])
        if release.retired is not None or any(_why_not(policies, route, each) is None for each in given):
            continue
        said = f"release {subject} is not signed by {names}"
        for each in given:
            said += f", and {each.file} does not count: {_why_not(policies, route, each)}"
        file = given[0].file if given else f"{route.name}-{version}.dsse.json"
        remedy = f"pinion release sign {subject} --key KEY.pem --out {file}, in the policy folder"
        yield Problem(release.where.file, release.where.line, said, remedy)


def _why_not(policies: Policies, route: RoutePolicy, attestation: Attestation) -> str | None:
    """Say why a statement does not make its release a signed one; None where it does."""
    keys = [policies.signing_keys[name].key for name in route.require_signature]
    if not any(key.has_signed(attestation.envelope) for key in keys):
        return "no signature in it is one of theirs"
    return ", and ".join(doubts(policies, attestation.statement)) or None
