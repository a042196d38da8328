"""Anchors by what the command line calls them."""

import pytest

from gateway.adapters.anchors import anchors_of
from gateway.adapters.system_clock import SystemClock
from gateway.core.errors import SetupFault
from tests.adapters.webhook_receiver import SECRET


def test_each_kind_is_known_by_its_beginning():
    """In the order in which they are named."""
    named = ["file:/a/b", "git:/c", "https://example.com/hook"]
    made = anchors_of(named, SECRET, SystemClock())
    assert ["file:/a/b", "git:/c", "https://example.com"] == [anchor.name for anchor in made]
    assert [] == anchors_of([], None, SystemClock())


@pytest.mark.parametrize("name", ["", "file:", "git:", "http://example.com", "s3://x", "/a/b"])
def test_what_is_none_is_refused(name):
    """With the forms that there are."""
    with pytest.raises(SetupFault, match="use file:PATH, git:PATH or https"):
        anchors_of([name], SECRET, SystemClock())


@pytest.mark.parametrize("secret", [None, ""])
def test_a_webhook_needs_a_secret(secret):
    """Without one its receiver could not tell who sends."""
    with pytest.raises(SetupFault, match="PINION_AUDIT_WEBHOOK_SECRET"):
        anchors_of(["https://example.com/hook"], secret, SystemClock())
