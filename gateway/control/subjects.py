"""What is to be approved of a policy set: each release, by a digest of all that is judged, and policies that change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from gateway.control.policies import Policies, RoutePolicy
from gateway.control.snapshots import Releases
from gateway.control.standings import keys_of
from gateway.core.approval import REMOVED, Subject
from gateway.core.approval_policy import ApprovalPolicy, combined
from gateway.core.card import why_incomplete
from gateway.core.digest import digest
from gateway.core.standing import Key, Standing


@dataclass(frozen=True, slots=True)
class Considered:
    """A policy set as approvals see it: with where its versions stand, and the policies that are in force with it."""

    policies: Policies
    releases: Releases
    known: Mapping[Key, Standing]
    in_force: tuple[ApprovalPolicy, ...]
    environment: str

    def governing(self, route: RoutePolicy) -> tuple[ApprovalPolicy, ...]:
        """Give the policies that govern the releases of a route."""
        return tuple(each for each in self.in_force if each.applies(route.name, self.environment, route.risk_tier))

    def policy_for(self, route: RoutePolicy) -> ApprovalPolicy | None:
        """Give what they ask together; None where none governs."""
        return combined(self.governing(route))

    def subject(self, route: RoutePolicy, version: str) -> Subject:
        """Give what is to be signed of a release."""
        release, policy = self.releases[route.name, version], self.policy_for(route)
        model = self.policies.models[route.releases[version].model]
        standings = {key[0]: self.known.get(key) for key in keys_of(release)}
        facts = {kind: None if found is None else found.facts_digest for kind, found in standings.items()}
        parts: dict[str, str | None] = {
            "release": release.digest,
            "release_facts": facts["release"],
            "model": release.model.digest,
            "model_facts": facts["model"],
            "evaluations": digest(model.facts.get("evaluations", [])),
            "prompt": None if release.prompt is None else release.prompt.digest,
            "prompt_facts": facts.get("prompt"),
            "card": self._card(f"{route.name}/{version}"),
            "model_card": self._card(route.releases[version].model),
            "approval_policy": None if policy is None else policy.digest,
            "route": digest(_conduct(route)) if policy is not None and policy.governs_route else None,
        }
        named = {"environment": self.environment, "route": route.name, "release": version, "parts": parts}
        return Subject("release", self.environment, route.name, version, digest(named), parts)

    def _card(self, subject: str) -> str | None:
        """Give the digest of the card of a release or a model version; None where it has none."""
        found = self.policies.cards.get(subject)
        return None if found is None else found.card.digest

    def card_gap(self, route: RoutePolicy, version: str, today: date) -> str | None:
        """Say what the cards of a release lack for its route's risk tier, with what to write; None where nothing.

        Its model version must have one; its own counts where it has one.
        """
        model = route.releases[version].model
        cards = [self.policies.cards.get(subject) for subject in (model, f"{route.name}/{version}")]
        gaps = [why_incomplete(each.card, route.risk_tier, today) for each in cards if each is not None]
        if cards[0] is None:
            gaps.insert(0, f"model {model} has no card; write a file .card.md whose governance.subject is {model}")
        return "; ".join(gap for gap in gaps if gap is not None) or None

    def behaviour(self, subject: Subject) -> str:
        """Tell what answers depend on: the release, and behind a plus its route's conduct where that is governed."""
        route = subject.parts["route"]
        return f"{subject.parts['release']}" + ("" if route is None else f"+{route}")

    def with_authors(self, subject: Subject) -> Subject:
        """Tell who registered the parts of a release, under whatever name the same content is registered."""
        release = self.releases[subject.name, subject.version]
        digests = {release.digest, release.model.digest, *([] if release.prompt is None else [release.prompt.digest])}
        authors = {each.author for each in self.known.values() if each.author is not None and each.digest in digests}
        return replace(subject, authors=frozenset(authors))

    def evaluations(self, route: RoutePolicy, version: str) -> Sequence[Mapping[str, Any]]:
        """Give what was measured of a release's model version."""
        found: Sequence[Mapping[str, Any]] = self.policies.models[route.releases[version].model].facts.get(
            "evaluations", []
        )
        return found


def policy_changes(in_force: Sequence[ApprovalPolicy], policies: Policies, environment: str) -> Iterator[Subject]:
    """Give each change of a policy in force that a set would make; a new policy only asks for more, and is none."""
    for before in in_force:
        after = policies.approval_policies.get(before.name)
        if after is None or after.digest != before.digest:
            version = REMOVED if after is None else after.digest
            parts = {"before": before.digest, "after": None if after is None else after.digest}
            named = {"environment": environment, "approval_policy": before.name, "parts": parts}
            yield Subject("approval_policy", environment, before.name, version, digest(named), parts)


def _conduct(route: RoutePolicy) -> dict[str, Any]:
    """Write what a route does with its releases, as JSON."""
    experiment, shadow = route.experiment, route.shadow
    return {
        "plan": route.plan.to_json(),
        "breaker": asdict(route.breaker),
        "on_mismatch": route.on_mismatch,
        "sticky_by": [str(source) for source in route.sticky_by],
        "fallback": list(route.fallback),
        "slo": None if route.slo is None else asdict(route.slo),
        "shadow": None if shadow is None else asdict(shadow),
        "experiment": None if experiment is None else asdict(experiment),
        "rules": [
            {
                "release": rule.release,
                "apps": None if rule.apps is None else sorted(rule.apps),
                "units": None if rule.units is None else sorted(rule.units),
                "headers": dict(rule.headers),
                "input": [rule.input_over, rule.input_under],
                "share": None if rule.share is None else [rule.share.start, rule.share.end],
            }
            for rule in route.rules
        ],
    }
