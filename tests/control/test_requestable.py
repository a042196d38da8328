"""What may be requested: releases as they are declared now, by any set that approvals may be about."""

import pytest

from gateway.control.requestable import Requestable, why_changed
from gateway.core.errors import UnknownSubject
from tests.control.approval_world import governed
from tests.control.serving_world import serving
from tests.core.approval_samples import SUBJECT, asked

pytestmark = pytest.mark.anyio


async def test_a_release_that_is_declared_is_found():
    """With the set that declares it; one that is not is refused, and the nearest is named."""
    async with serving(governed()) as process:
        requestable = Requestable(process.live, process.serving.considered)
        _, subject = requestable.release("desk", "1.0.0")
        assert ("release", "default", "desk", "1.0.0") == subject.place
        with pytest.raises(UnknownSubject, match=r"there is no release desk/1\.0\.9; did you mean 'desk/1\.0\.0'"):
            requestable.release("desk", "1.0.9")


def test_what_has_changed_is_named():
    """Part by part; what is not declared any more has no parts."""
    assert "it is not declared any more" == why_changed(asked(), [])
    assert "what was requested has changed since: nothing" == why_changed(asked(), [SUBJECT])
