"""The lifecycle of a version: every verb in every state."""

from itertools import product

import pytest

from gateway.core.errors import VerbRefused
from gateway.core.lifecycle import Lifecycle, lived

TABLE = {
    "active": {"deprecate": "deprecated", "retire": "retired"},
    "deprecated": {"deprecate": "deprecated", "retire": "retired"},
    "retired": {},
}
"""Where each verb leads from each state; what is not here is refused."""


@pytest.mark.parametrize(("state", "verb"), list(product(Lifecycle, ("deprecate", "retire", "revive"))))
def test_each_verb_in_each_state(state, verb):
    """It leads where the table says, or is refused with the version, its state, the verb, and what to do."""
    after = TABLE[state.value].get(verb)
    if after is None:
        said = f"^prompt p@1 is {state.value} and does not take {verb}; publish another version$"
        with pytest.raises(VerbRefused, match=said):
            lived("prompt p@1", state, verb)
    else:
        assert after == lived("prompt p@1", state, verb).value
