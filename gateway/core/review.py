"""The review of a version: from a draft that may still change to the word of those who must agree.

The law: only a draft's content may change. A version that was rejected or revoked never comes back; publish another.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.core.errors import VerbRefused


class Review(StrEnum):
    """How far a version's review has come."""

    draft = "draft"
    candidate = "candidate"
    in_review = "in_review"
    approved = "approved"
    rejected = "rejected"
    revoked = "revoked"


MOVES: Mapping[tuple[Review, str], Review] = {
    (Review.draft, "freeze"): Review.candidate,
    (Review.draft, "request"): Review.in_review,
    (Review.candidate, "request"): Review.in_review,
    (Review.in_review, "withdraw"): Review.candidate,
    (Review.in_review, "approve"): Review.approved,
    (Review.in_review, "reject"): Review.rejected,
    **{
        (state, "revoke"): Review.revoked
        for state in (Review.draft, Review.candidate, Review.in_review, Review.approved)
    },
}

_REMEDIES: Mapping[Review, str] = {
    Review.draft: "request its review, or revoke it",
    Review.candidate: "request its review, or revoke it",
    Review.in_review: "approve, reject or withdraw the request, or revoke it",
    Review.approved: "revoke it, or publish another version",
    Review.rejected: "publish another version",
    Review.revoked: "publish another version",
}


def reviewed(subject: str, state: Review, verb: str) -> Review:
    """Give the state that a verb leads to; `subject` names the version for the refusal.

    Raises:
        VerbRefused: a version in this state does not take the verb.
    """
    after = MOVES.get((state, verb))
    if after is None:
        raise VerbRefused(f"{subject} is {state.value} and does not take {verb}; {_REMEDIES[state]}")
    return after
