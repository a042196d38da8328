"""The review of a version: every verb in every state."""

from itertools import product

import pytest

from gateway.core.errors import VerbRefused
from gateway.core.review import Review, reviewed

VERBS = ("freeze", "request", "withdraw", "approve", "reject", "revoke")

TABLE = {
    "draft": {"freeze": "candidate", "request": "in_review", "revoke": "revoked"},
    "candidate": {"request": "in_review", "revoke": "revoked"},
    "in_review": {"withdraw": "candidate", "approve": "approved", "reject": "rejected", "revoke": "revoked"},
    "approved": {"revoke": "revoked"},
    "rejected": {},
    "revoked": {},
}
"""Where each verb leads from each state; what is not here is refused."""


@pytest.mark.parametrize(("state", "verb"), list(product(Review, VERBS)))
def test_each_verb_in_each_state(state, verb):
    """It leads where the table says, or is refused with the version, its state, the verb, and what to do."""
    after = TABLE[state.value].get(verb)
    if after is None:
        with pytest.raises(VerbRefused, match=f"^model m@1 is {state.value} and does not take {verb}; .+") as raised:
            reviewed("model m@1", state, verb)
        assert 409 == raised.value.status
    else:
        assert after == reviewed("model m@1", state, verb).value


def test_an_unknown_verb_is_refused():
    """As one that the state does not take."""
    with pytest.raises(VerbRefused, match="does not take bless"):
        reviewed("model m@1", Review.draft, "bless")


def test_what_was_rejected_or_revoked_never_comes_back():
    """No verb leads out of either, and what to do is to publish another version."""
    for state in (Review.rejected, Review.revoked):
        for verb in VERBS:
            with pytest.raises(VerbRefused, match=r"publish another version$"):
                reviewed("model m@1", state, verb)
