"""Targets of notifications."""

import ssl

import pytest

from gateway.adapters.signed_post import SignedPost
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.webhook_targets import NAMED, WebhookTarget, targets_of
from gateway.core.address import is_loopback
from gateway.core.errors import SetupFault
from gateway.core.notification import Message
from tests.adapters.webhook_receiver import SECRET

pytestmark = pytest.mark.anyio


def test_each_is_made_once_and_shows_its_host_alone():
    """The store knows it by a digest, which differs by its path; a secret in that is shown nowhere."""
    urls = ["https://example.com/T0P", "https://example.com/other", "https://example.com/T0P"]
    one, other = targets_of(urls, SECRET, SystemClock())
    assert ("example.com", "example.com", True) == (one.host, other.host, one.key != other.key)
    assert "WebhookTarget('example.com')" == repr(one)
    assert "T0P" not in f"{one!r} {one.key}"
    assert [] == targets_of([], None, SystemClock())


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("https://example.com/", None, "--notify: a webhook needs a secret; set PINION_NOTIFY_SECRET"),
        ("https://example.com/", "x", "PINION_NOTIFY_SECRET is no secret"),
        ("http://example.com/", SECRET, "--notify: a webhook is https://"),
        ("https://127.0.0.1/", SECRET, "--notify: 127.0.0.1 is not an address of the public internet"),
    ],
)
def test_what_is_none_is_refused(url, secret, why):
    """With the option or the variable to mend."""
    with pytest.raises(SetupFault, match=f"^{why}"):
        targets_of([url], secret, SystemClock())


async def test_a_message_is_posted(receiver, certificate):
    """Signed."""
    tls = ssl.create_default_context(cafile=certificate.authority)
    to = SignedPost(receiver.url, SECRET, SystemClock(), NAMED, tls=tls, is_allowed=is_loopback)
    await WebhookTarget(receiver.url, to).post(Message("m1", "a.b", "", {}))
    assert ["m1"] == [name for name, _ in receiver.messages()]
