"""Posting signed messages, to a real server with TLS."""

import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from gateway.adapters.signed_post import Named, SignedPost
from gateway.adapters.system_clock import SystemClock
from gateway.core.address import is_loopback
from gateway.core.errors import DeliveryFault, SetupFault
from gateway.core.notification import Message
from tests.adapters.webhook_receiver import OTHER_SECRET, SECRET

pytestmark = pytest.mark.anyio

NAMED = Named("--to", "PINION_SECRET")
MESSAGE = Message("entry_1", "a.b", "2026-01-01T00:00:00.000Z", {"text": "\u2713"})


def posting(url="https://example.com/hook", secrets=SECRET, **more):
    """A place to post to."""
    return SignedPost(url, secrets, SystemClock(), NAMED, **more)


@pytest.fixture
def tls(certificate):
    """What trusts the receiver."""
    return ssl.create_default_context(cafile=certificate.authority)


@pytest.fixture
def post(receiver, tls):
    """One that may call loopback, and trusts the receiver."""
    return posting(receiver.url, tls=tls, is_allowed=is_loopback)


async def test_a_message_is_signed(post, receiver):
    """As Standard Webhooks say, whatever is in it; nothing secret is shown."""
    await post.post(MESSAGE)
    expected = {"type": "a.b", "timestamp": "2026-01-01T00:00:00.000Z", "data": {"text": "\u2713"}}
    assert [("entry_1", expected)] == receiver.messages()
    assert "SignedPost('https://localhost')" == repr(post)


async def test_while_secrets_change_each_signs(receiver, tls):
    """Whoever knows either of them can verify."""
    await posting(receiver.url, f"{OTHER_SECRET} {SECRET}", tls=tls, is_allowed=is_loopback).post(MESSAGE)
    ((body, headers),) = receiver.got
    assert 2 == len(headers["webhook-signature"].split(" "))
    for secret in (SECRET, OTHER_SECRET):
        assert "a.b" == Webhook(secret).verify(body, headers)["type"]


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500])
async def test_an_answer_that_is_not_good_is_a_fault(post, receiver, status):
    """A redirect is one: it is not followed. The fault tells the status."""
    receiver.status = status
    with pytest.raises(DeliveryFault, match=f"^https://localhost: answered {status}") as caught:
        await post.post(MESSAGE)
    assert (status, 1) == (caught.value.answered, len(receiver.got))


async def test_an_address_inside_is_not_called(receiver, tls):
    """However it is named: the connected peer is looked at, and nothing is sent to it."""
    answers = [False, True]  # of the address at the start, and of the peer: a name that resolves otherwise by then

    def is_allowed(address):
        assert "127.0.0.1" == address
        return answers.pop()

    post = posting(receiver.url, tls=tls, is_allowed=is_allowed)
    with pytest.raises(DeliveryFault, match=r"127\.0\.0\.1 is not an address of the public internet"):
        await post.post(MESSAGE)
    assert ([], []) == (receiver.got, answers)


async def test_a_stranger_is_not_trusted(receiver):
    """Its certificate is not one that this machine knows."""
    with pytest.raises(DeliveryFault, match=r"(?i)certificate"):
        await posting(receiver.url, is_allowed=is_loopback).post(MESSAGE)
    assert [] == receiver.got


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https:///x",
        "https://user:pass@example.com/",
        "https://@example.com/",
        "ftp://x",
        "https://[::1",
        "https://example.com:99999/",
        "https://ex\u00e4mple.com/",
        "https://example.com/a b\x07",
        "example.com",
    ],
)
def test_what_is_no_webhook_is_refused(url):
    """Without TLS, a host, or with a password in it; the message repeats nothing of it."""
    with pytest.raises(SetupFault, match=r"^--to: a webhook is https://HOST/PATH") as caught:
        posting(url)
    assert "pass" not in caught.value.message.replace("password", "")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
    ],
)
def test_an_address_inside_is_refused_at_the_start(host):
    """Where no name has to be resolved to know it; in whatever form it is written."""
    with pytest.raises(SetupFault, match=r"^--to: .* is not an address of the public internet") as caught:
        posting(f"https://{host}/secret-path")
    assert "secret-path" not in caught.value.message


@pytest.mark.parametrize("host", ["8.8.8.8", "[2001:4860:4860::8888]", "example.com", "example.com:8443"])
def test_public_addresses_and_names_are_taken(host):
    """What a name stands for is looked at when it is called."""
    assert host.partition(":")[0].strip("[]")[:4] == posting(f"https://{host}/hook?x=1").host[:4]


@pytest.mark.parametrize("secret", ["whsec_", "whsec_?", "x", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ="])
def test_what_is_no_secret_is_refused(secret):
    """It is named by where it comes from, and not repeated; neither is one beside a good one."""
    for given in (secret, f"{SECRET} {secret}"):
        with pytest.raises(SetupFault, match=r"^PINION_SECRET is no secret of a webhook") as caught:
            posting(secrets=given)
        assert SECRET not in caught.value.message


@pytest.mark.parametrize("secret", [None, "", " "])
def test_a_webhook_needs_a_secret(secret):
    """Without one its receiver could not tell who sends."""
    with pytest.raises(SetupFault, match=r"^--to: a webhook needs a secret; set PINION_SECRET$"):
        posting(secrets=secret)


async def test_a_server_that_never_answers_is_given_up(tls):
    """Whatever it waits for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"https://localhost:{server.server_port}/"
    post = posting(url, tls=tls, is_allowed=is_loopback, patience=0.2)
    with pytest.raises(DeliveryFault, match=r"no answer within 0\.2 s"):
        await post.post(MESSAGE)
    server.server_close()


async def test_a_server_that_is_not_there_is_a_fault(receiver, post):
    """Refused at once."""
    receiver.stop()
    with pytest.raises(DeliveryFault, match=r"^https://localhost: ") as caught:
        await post.post(MESSAGE)
    assert caught.value.answered is None
