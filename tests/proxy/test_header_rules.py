"""What a client or a provider says in headers never takes away, forges or breaks what Pinion says in its own."""

import json

import pytest

from gateway.core.head import Head
from tests.proxy.playbook import KEY, Downstream, Play, completion

OWN = ("x-request-id", "x-pinion-release", "x-pinion-track")


def sent(play):
    """The header fields of the request that left last."""
    return [(name.decode(), value.decode("latin-1")) for name, value in play.upstream.last.request.headers]


def test_connection_takes_no_header_of_pinions_from_a_request():
    """Whatever it names, the provider gets its credential, type and length; once each, and none of the client's."""
    play = Play()
    named = "authorization, content-type, content-length, host, x-request-id, accept-encoding"
    play.ask(headers={"connection": named, "x-kept": "1"})
    fields = sent(play)
    assert [("authorization", "Bearer sk-provider")] == [field for field in fields if field[0] == "authorization"]
    assert ("x-kept", "1") in fields
    assert "connection" not in dict(fields)


def test_connection_takes_no_header_of_pinions_from_an_answer():
    """The client is told who answered, whatever the provider names."""
    play = Play()
    _, downstream = play.ask()
    named = ", ".join((*OWN, "content-length", "content-type"))
    play.upstream.last.answer(completion(), connection=named, x_pinion_release="forged/9.9.9", x_pinion_more="forged")
    assert "desk/1.0.0" == downstream.headers["x-pinion-release"]
    assert set(OWN) <= set(downstream.headers)
    assert "forged" not in str(downstream.headers)


@pytest.mark.parametrize("joined", ["x_pinion_release", "x-pinion_release", "x_pinion-release", "X_PINION_RELEASE"])
def test_a_name_with_an_underscore_is_no_name_of_pinions(joined):
    """Some servers read it as a hyphen; here it forces nothing and goes nowhere."""
    play = Play()
    exchange = _opened(play, [(joined.lower().encode(), b"9.9.9")])
    exchange.body(json.dumps({"model": "desk", "messages": []}).encode())
    assert not [name for name, _ in sent(play) if "pinion" in name]


@pytest.mark.parametrize(
    "name", ["x-pinion-release", "x-pinion-track", "x-pinion-model", "x-pinion-unit", "x-forwarded-for", "forwarded"]
)
def test_what_only_pinion_or_a_trusted_proxy_may_say_does_not_go_on(name):
    """A provider that logs or trusts it would take a client's word for Pinion's."""
    play = Play()
    value = "1.0.0" if name == "x-pinion-release" else "10.0.0.1"
    play.ask(headers={name: value})
    assert name not in dict(sent(play))


@pytest.mark.parametrize("text", ["a\r\nx-evil: 1", "a\nb", "a\0b", "\u2028", "\x85"])
def test_a_value_that_is_said_again_cannot_break_a_line(text):
    """A model, a release and a request id of the client's: in a body they are JSON, in a header they are not there."""
    play = Play()
    _, unknown = play.ask(model=text)
    _, forced = play.ask(headers={"x-pinion-release": text, "x-request-id": text, "x-pinion-unit": text})
    for downstream in (unknown, forced):
        assert 400 <= downstream.status < 500
        said = "".join(f"{name}{value}" for name, value in downstream.headers.items())
        assert text not in said
        assert not set("\r\n\0") & set(said)
        assert not set(b"\r\n\0") & set(downstream.body)


def _opened(play, more):
    """Begin an exchange with header fields as they stand."""
    fields = [(b"authorization", KEY), (b"content-type", b"application/json"), *more]
    return play.exchanges.open(Downstream(), Head("POST", "/v1/chat/completions", b"", fields))
