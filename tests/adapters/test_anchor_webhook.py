"""An anchor that is a webhook, over a real server with TLS."""

import ssl

import pytest

from gateway.adapters.anchor_webhook import NAMED, WebhookAnchor
from gateway.adapters.signed_post import SignedPost
from gateway.adapters.system_clock import SystemClock
from gateway.core.address import is_loopback
from gateway.core.errors import AnchorFault
from tests.adapters.anchor_contract import checkpoint, holds
from tests.adapters.webhook_receiver import SECRET

pytestmark = pytest.mark.anyio


@pytest.fixture
def anchor(receiver, certificate):
    """An anchor that may call loopback, and trusts the receiver."""
    tls = ssl.create_default_context(cafile=certificate.authority)
    clock = SystemClock()
    return WebhookAnchor(SignedPost(receiver.url, SECRET, clock, NAMED, tls=tls, is_allowed=is_loopback), clock)


async def test_it_is_an_anchor(anchor, receiver):
    """Signed as Standard Webhooks say; a repeated checkpoint has the id that it had."""
    assert "WebhookAnchor('https://localhost')" == repr(anchor)
    await holds(anchor, lambda: [told["data"]["note"] for _, told in receiver.messages()], receiver.stop)
    ids = [headers["webhook-id"] for _, headers in receiver.got]
    assert (3, 2) == (len(ids), len(set(ids)))


async def test_an_answer_that_is_not_good_is_a_fault(anchor, receiver):
    """As whoever posts says it."""
    receiver.status = 500
    with pytest.raises(AnchorFault, match="answered 500"):
        await anchor.send(checkpoint(1))
    assert "audit.checkpoint" == receiver.messages()[0][1]["type"]
