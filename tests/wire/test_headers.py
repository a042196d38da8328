"""Which headers go on, which come back, and which key counts."""

import pytest

from gateway.wire import headers


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ([(b"authorization", b"Bearer k1")], b"k1"),
        ([(b"authorization", b"bEaReR   k1 ")], b"k1"),
        ([(b"x-api-key", b"k2")], b"k2"),
        ([(b"api-key", b"k3")], b"k3"),
        ([(b"x-goog-api-key", b"k4")], b"k4"),
        ([(b"x-api-key", b"k2"), (b"authorization", b"Bearer k1")], b"k1"),
        ([(b"x-goog-api-key", b"k4"), (b"api-key", b"k3"), (b"x-api-key", b"k2")], b"k2"),
        ([(b"authorization", b"Basic dTpw"), (b"api-key", b"k3")], b"k3"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b" "), (b"api-key", b"k3")], b"k3"),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", b"k1")], None),
        ([(b"x-api-key", b"")], None),
        ([], None),
    ],
)
def test_credential_precedence(sent, key):
    """A Bearer token counts before the three key headers, whatever their order; what is empty does not count."""
    assert key == headers.credential(headers.first_values(sent))


def test_what_a_provider_needs_goes_on_unchanged():
    """Versions, betas, SDK marks, trace context and unknown headers pass in order, repeated ones too."""
    kept = [
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-beta", b"a"),
        (b"anthropic-beta", b"b"),
        (b"openai-organization", b"org"),
        (b"user-agent", b"AsyncOpenAI/Python 3.52.0"),
        (b"x-stainless-retry-count", b"1"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"tracestate", b"a=b"),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"x-anything", b"\xe4"),
    ]
    assert kept == headers.forwardable_request(kept)


@pytest.mark.parametrize(
    "name",
    [
        "connection keep-alive te trailer transfer-encoding upgrade proxy-authorization proxy-connection",
        "host content-length expect accept-encoding content-encoding cookie",
        "authorization x-api-key api-key x-goog-api-key",
        "forwarded x-forwarded-for x-forwarded-proto x-real-ip x-pinion-unit x-pinion-release x_api_key",
    ],
)
def test_what_belongs_to_this_hop_or_tells_who_called_stays_behind(name):
    """No hop-by-hop header, credential, address, cookie, header of Pinion's or look-alike reaches a provider."""
    sent = [(one.encode(), b"v") for one in name.split()]
    assert [] == headers.forwardable_request(sent)


def test_names_listed_by_connection_stay_behind():
    """A header that Connection names belongs to one hop, in both directions."""
    sent = [(b"connection", b"close, X-Trace"), (b"x-trace", b"1"), (b"x-kept", b"2")]
    assert [(b"x-kept", b"2")] == headers.forwardable_request(sent)
    assert [(b"x-kept", b"2")] == headers.forwardable_response(sent)


def test_names_to_drop_stay_behind():
    """A caller can hold back more names, in both directions."""
    sent = [(b"content-encoding", b"gzip"), (b"x-kept", b"2"), (b"x-gone", b"3")]
    assert [(b"x-kept", b"2")] == headers.forwardable_request(sent, drop=(b"x-gone",))
    assert [(b"x-kept", b"2")] == headers.forwardable_response(sent, drop=(b"x-gone", b"content-encoding"))


@pytest.mark.parametrize("wrong", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b"])
def test_values_that_could_make_another_line_are_dropped(wrong):
    """No value can end its line early at the next hop."""
    assert [] == headers.forwardable_request([(b"x-a", wrong)])
    assert [] == headers.forwardable_response([(b"x-a", wrong)])


def test_response_headers_that_come_back():
    """Rate limits, retry advice and ids come back; the provider's request id under a name of its own."""
    sent = [
        (b"content-type", b"text/event-stream"),
        (b"x-request-id", b"req_1"),
        (b"request-id", b"req_2"),
        (b"x-ratelimit-remaining-tokens", b"10"),
        (b"retry-after-ms", b"5"),
        (b"openai-processing-ms", b"7"),
    ]
    renamed = [(b"x-upstream-request-id", value) if name == b"x-request-id" else (name, value) for name, value in sent]
    assert renamed == headers.forwardable_response(sent)


def test_response_headers_that_stay_behind():
    """What speaks of the provider's connection or host, and what passes for Pinion's word, does not come back."""
    names = "transfer-encoding content-length date server set-cookie alt-svc strict-transport-security x-pinion-model"
    assert [] == headers.forwardable_response([(name.encode(), b"v") for name in names.split()])


def test_values_by_name():
    """The first value counts; text is UTF-8, and Latin-1 where it is not."""
    sent = [(b"a", b"1"), (b"a", b"2"), (b"u", "jörg".encode()), (b"l", "jörg".encode("latin-1"))]
    assert b"1" == headers.value(sent, b"a")
    assert headers.value(sent, b"b") is None
    assert ["1", "jörg", "jörg", None] == [headers.text(sent, name) for name in (b"a", b"u", b"l", b"b")]


def test_values_of_a_head_that_was_taken_apart():
    """Who looks up many names does so in a dictionary, with the same answers."""
    first = headers.first_values([(b"a", b"1"), (b"a", b"2"), (b"l", "jörg".encode("latin-1"))])
    assert [b"1", None] == [headers.value(first, name) for name in (b"a", b"b")]
    assert ["1", "jörg", None] == [headers.text(first, name) for name in (b"a", b"l", b"b")]


def test_no_header_comes_back_with_the_secret_that_the_provider_was_shown():
    """The others do; without a secret, all."""
    sent = [(b"x-echo", b"Bearer sk-provider"), (b"x-kept", b"1"), (b"x-half", b"sk-"), (b"x-other", b"provider")]
    assert sent[1:] == headers.forwardable_response(sent, secret=b"sk-provider")
    assert sent == headers.forwardable_response(sent)
