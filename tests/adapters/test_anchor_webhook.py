"""An anchor that is a webhook, over a real server with TLS."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from gateway.adapters.anchor_webhook import WebhookAnchor
from gateway.adapters.system_clock import SystemClock
from gateway.core.address import is_loopback
from gateway.core.errors import AnchorFault, SetupFault
from tests.adapters.anchor_contract import SECRET, checkpoint, holds

pytestmark = pytest.mark.anyio


class Receiver:
    """A server that keeps what it gets: bodies with their headers. It answers with `status`."""

    def __init__(self, certificate) -> None:
        self.got = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((body, dict(self.headers.items())))
                self.send_response(receiver.status)
                self.send_header("location", "https://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = certificate.server_context().wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def notes(self):
        """The notes that came, once each signature is verified."""
        for body, headers in self.got:
            Webhook(SECRET).verify(body, headers)
        return [json.loads(body)["data"]["note"] for body, _ in self.got]

    def stop(self):
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver(certificate):
    """A receiver on loopback."""
    made = Receiver(certificate)
    yield made
    if made.thread.is_alive():
        made.stop()


@pytest.fixture
def anchor(receiver, certificate):
    """An anchor that may call loopback, and trusts the receiver."""
    tls = ssl.create_default_context(cafile=certificate.authority)
    return WebhookAnchor(receiver.url, SECRET, SystemClock(), tls=tls, is_allowed=is_loopback)


async def test_it_is_an_anchor(anchor, receiver):
    """Signed as Standard Webhooks say; a repeated checkpoint has the id that it had."""
    assert "WebhookAnchor('https://localhost')" == repr(anchor)
    await holds(anchor, receiver.notes, receiver.stop)
    ids = [headers["webhook-id"] for _, headers in receiver.got]
    assert (3, 2) == (len(ids), len(set(ids)))


@pytest.mark.parametrize("status", [301, 307, 400, 500])
async def test_an_answer_that_is_not_good_is_a_fault(anchor, receiver, status):
    """A redirect is one: it is not followed."""
    receiver.status = status
    with pytest.raises(AnchorFault, match=f"answered {status}"):
        await anchor.send(checkpoint(1))
    assert 1 == len(receiver.got)


async def test_an_address_inside_is_not_called(receiver, certificate):
    """However it is named: the connected peer is looked at, and nothing is sent to it."""
    tls = ssl.create_default_context(cafile=certificate.authority)
    anchor = WebhookAnchor(receiver.url, SECRET, SystemClock(), tls=tls)
    with pytest.raises(AnchorFault, match=r"127\.0\.0\.1 is not an address of the public internet"):
        await anchor.send(checkpoint(1))
    assert [] == receiver.got


async def test_a_stranger_is_not_trusted(receiver):
    """Its certificate is not one that this machine knows."""
    anchor = WebhookAnchor(receiver.url, SECRET, SystemClock(), is_allowed=is_loopback)
    with pytest.raises(AnchorFault, match=r"(?i)certificate"):
        await anchor.send(checkpoint(1))
    assert [] == receiver.got


@pytest.mark.parametrize("url", ["http://example.com/", "https:///x", "https://user:pass@example.com/", "ftp://x"])
def test_what_is_no_webhook_is_refused(url):
    """Without TLS, a host, or with a password in it; the message repeats nothing of it."""
    with pytest.raises(SetupFault, match="a webhook is https://HOST/PATH") as caught:
        WebhookAnchor(url, SECRET, SystemClock())
    assert "pass" not in caught.value.message.replace("password", "")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_?", "x"])
def test_what_is_no_secret_is_refused(secret):
    """It is named by where it comes from."""
    with pytest.raises(SetupFault, match="PINION_AUDIT_WEBHOOK_SECRET"):
        WebhookAnchor("https://example.com/", secret, SystemClock())


async def test_a_server_that_never_answers_is_given_up(certificate):
    """Whatever it waits for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"https://localhost:{server.server_port}/"
    tls = ssl.create_default_context(cafile=certificate.authority)
    anchor = WebhookAnchor(url, SECRET, SystemClock(), tls=tls, is_allowed=is_loopback, patience=0.2)
    with pytest.raises(AnchorFault, match=r"no answer within 0\.2 s"):
        await anchor.send(checkpoint(1))
    server.server_close()
