"""Who and what is let in; everything that is refused, with nothing sent upstream."""

import gzip
import json
from dataclasses import replace

import pytest
import zstandard

from gateway.core.api_key import named_key
from gateway.core.app import App
from gateway.core.errors import NotFound
from gateway.proxy.admission import Limits, find_route
from tests.proxy.playbook import Play, provider, release, route

PLAIN = b'{"model":"desk","messages":[]}'


def refused(play, downstream, status, code=None):
    """Hold an answer against the shape of a refusal, with nothing sent upstream; give its message."""
    assert (status, "finished", []) == (downstream.status, downstream.ended, play.upstream.calls)
    assert downstream.headers["x-request-id"] == downstream.json["request_id"]
    assert ("application/json", str(len(downstream.body)), "false") == (
        downstream.headers["content-type"],
        downstream.headers["content-length"],
        downstream.headers["x-should-retry"],
    )
    if code is not None:
        assert code == downstream.json["error"]["code"]
    return downstream.json["error"]["message"]


# By the head alone


@pytest.mark.parametrize("key", ["", "Bearer wrong", "Basic c2stdGVzdA==", "Bearer", "sk-test"])
def test_no_key_a_malformed_one_and_a_wrong_one_are_one_answer(key):
    """A generic 401 before any body is read, the same for all."""
    play = Play()
    exchange, downstream = play.open(authorization=key)
    message = refused(play, downstream, 401, "authentication_error")
    assert "The API key is missing or not valid; send the key of your application." == message
    assert "Bearer" == downstream.headers["www-authenticate"]
    assert not exchange.wants_body
    exchange.body(PLAIN)
    assert [] == play.upstream.calls


def test_a_key_that_the_store_may_hold_while_it_is_away_is_asked_to_come_again():
    """With 503 and a time, which SDKs keep: 401 would tell an application that its key is bad."""
    play = Play()
    play.snapshots.current = replace(play.snapshots.current, issued=frozenset())
    _, downstream = play.open(authorization=f"Bearer {named_key('app', '3fK9aQ0z', 's' * 32)}")
    assert (503, "5", []) == (downstream.status, downstream.headers["retry-after"], play.upstream.calls)
    assert "cannot be looked up" in downstream.json["error"]["message"]
    assert ["key_in_doubt"] == play.meters.refusals


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_a_key_may_come_in_any_sdks_header(header):
    """Whichever SDK sends it."""
    play = Play()
    value = "Bearer sk-test" if header == "authorization" else "sk-test"
    _, downstream = play.ask(headers={"authorization": "", header: value})
    assert (None, 1) == (downstream.status, len(play.upstream.calls))


def test_without_declared_applications_any_key_is_let_in():
    """The edge sees to it that this is on a loopback address alone."""
    play = Play()
    play.snapshots.current = replace(play.snapshots.current, open=True, keys={})
    play.ask(headers={"authorization": ""})
    play.upstream.last.answer()
    assert "local" == play.record.app


def test_only_post_is_let_in():
    """The message names the method to use."""
    play = Play()
    _, downstream = play.open(method="GET")
    assert "POST" in refused(play, downstream, 405)


def test_a_head_over_its_limit_is_refused():
    """431, before the key is looked at."""
    play = Play()
    _, downstream = play.open(authorization="", x_long="x" * 16_400)
    assert "16384 bytes" in refused(play, downstream, 431, "request_too_large")


@pytest.mark.parametrize("declared", ["33554433", "9999999999999999999"])
def test_a_body_declared_over_its_limit_is_refused_unread(declared):
    """413 by Content-Length alone."""
    play = Play()
    exchange, downstream = play.open(content_length=declared)
    assert "33554432 bytes" in refused(play, downstream, 413, "request_too_large")
    assert not exchange.wants_body


@pytest.mark.parametrize("declared", ["33554432", "²", "-1", "x", "9" * 5000])
def test_a_length_that_says_nothing_is_not_believed(declared):
    """What is no count, or none that can be, is left to the bytes themselves."""
    exchange, downstream = Play().open(content_length=declared)
    assert exchange.wants_body
    assert downstream.status is None


# By the body


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "one JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"model":"desk","model":"desk"}', '"model" twice'),
        (b'{"model":"desk","a":' + b"[" * 64 + b"]" * 64 + b"}", "more than 64 deep"),
        (b'{"model":NaN}', "NaN"),
        (b'{"messages":[]}', "no model; name a route, for example desk"),
        (b'{"model":""}', "no model"),
        (b'{"model":7}', "no model"),
        (b'{"model":"desk","prompt":{"variables":[]}}', "prompt.variables must be an object"),
    ],
)
def test_a_malformed_body_is_a_400_that_says_what_is_wrong(body, word):
    """In the words of the request, never of the code."""
    play = Play()
    _, downstream = play.ask(body=body)
    assert word in refused(play, downstream, 400, "invalid_request_error")


def test_a_body_over_its_limit_is_refused():
    """Whatever its length was said to be."""
    play = Play()
    play.around = replace(play.around, limits=Limits(max_body=40))
    play.exchanges.around = play.around
    assert 40 == play.exchanges.max_body
    _, downstream = play.ask(body=PLAIN + b" " * 11)
    assert "40 bytes" in refused(play, downstream, 413)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_is_unpacked(encoding):
    """What leaves is plain, and says so."""
    play = Play()
    pack = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    play.ask(body=pack(PLAIN), headers={"content-encoding": encoding})
    assert "atlas-1.0.0" == play.upstream.last.json["model"]
    assert b"content-encoding" not in dict(play.upstream.last.request.headers)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b" " * (33 << 20), mtime=0), "gzip", 413),
        (b"no gzip", "gzip", 400),
        (PLAIN, "rot13", 415),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(body, encoding, status):
    """A bomb, rubbish, and an encoding nobody knows."""
    play = Play()
    _, downstream = play.ask(body=body, headers={"content-encoding": encoding})
    refused(play, downstream, status)


# Routes


def test_an_unknown_route_is_a_404_that_names_the_known_ones():
    """Of those that the key may call; a long name is cut, and a strange one is quoted."""
    play = Play(app=App("helpdesk", frozenset({"desk"})))
    play.snapshots.current = replace(
        play.snapshots.current, routes={"desk": play.route, "secret": replace(play.route, name="secret")}
    )
    for name in ("gpt-4o", "secret", "x" * 500, "a\nb"):
        _, downstream = play.ask(model=name)
        message = refused(play, downstream, 404, "not_found_error")
        assert "it may call desk" in message
        assert len(message) < 250
        assert "\n" not in message


def test_a_key_without_routes_hears_of_none():
    """There is nothing to name."""
    play = Play(app=App("helpdesk", frozenset()))
    _, downstream = play.ask()
    assert "it may call none" in refused(play, downstream, 404)


def test_a_route_is_called_at_endpoints_of_its_own_dialect():
    """Nothing is translated."""
    play = Play(route(stable=release("1.0.0", provider=provider("anthropic"))))
    _, downstream = play.ask()
    assert "desk speaks anthropic, not openai" in refused(play, downstream, 404)


def test_a_refusal_speaks_the_dialect_of_its_endpoint():
    """Anthropic's envelope at Anthropic's endpoint."""
    play = Play(route(stable=release("1.0.0", provider=provider("anthropic"))))
    _, downstream = play.ask(path="/v1/messages", model="nope")
    assert ("error", "not_found_error", "req-1") == (
        downstream.json["type"],
        downstream.json["error"]["type"],
        downstream.json["request_id"],
    )


def test_a_route_is_found_for_any_dialect_when_none_is_asked_for():
    """As the endpoints beside the governed ones do."""
    play = Play()
    assert play.route is find_route(play.app, "desk", None, play.snapshots.current)
    with pytest.raises(NotFound):
        find_route(play.app, "other", None, play.snapshots.current)


def test_a_key_in_place_of_a_route_is_not_said_again():
    """Nor logged, whosever key it is."""
    play = Play()
    _, downstream = play.ask(model="sk-test")
    message = refused(play, downstream, 404, "not_found_error")
    assert "the model is a key, not a route for this key; it may call desk" == message
    assert "sk-test" not in str(play.journal.events)


# Denials


def test_a_key_of_nobody_is_a_denial():
    """Told with the operation and what was sent as a key, once the client has its answer."""
    play = Play()
    _, downstream = play.open(authorization="Bearer wrong")
    assert ([("POST /v1/chat/completions", None, "no application's key")], [b"wrong"], 401) == (
        play.denials.denied,
        play.denials.credentials,
        downstream.status,
    )


def test_a_route_outside_a_keys_list_is_a_denial_that_reads_like_a_route_that_there_is_none_of():
    """The application learns nothing of it, and the operator learns of the application."""
    play = Play(app=App("helpdesk", frozenset()))
    _, withheld = play.ask()
    _, missing = play.ask(model="nope")
    assert [("POST /v1/chat/completions", "helpdesk", "the route is not in the key's list")] == play.denials.denied
    said = [each.json["error"]["message"] for each in (withheld, missing)]
    assert ("no route 'desk' for this key; it may call none", said[0].replace("desk", "nope")) == tuple(said)


@pytest.mark.parametrize(
    ("app", "forced", "why"),
    [
        (App("helpdesk"), "1.1.0", "may not force a release"),
        (App("helpdesk", may_force_release=True), "9.9.9", "forces a release that there is none of"),
        (App("helpdesk", may_force_release=True), "1.1.0", "forces a release that gets no requests"),
    ],
)
def test_a_release_that_may_not_be_forced_is_a_denial(app, forced, why):
    """Whatever keeps it from being forced."""
    play = Play(app=app)
    play.trip("desk", "1.1.0", "failed")
    _, downstream = play.ask(headers={"x-pinion-release": forced})
    assert ([("POST /v1/chat/completions", "helpdesk", why)], 403) == (play.denials.denied, downstream.status)


def test_what_is_merely_wrong_is_no_denial():
    """A body that cannot be read, another method."""
    play = Play()
    play.ask(body=b"{")
    play.open(method="GET")
    assert [] == play.denials.denied


# Forcing a release


@pytest.mark.parametrize("name", ["1.1.0", "desk/1.1.0"])
def test_an_entitled_application_forces_a_release(name):
    """By its version, or as the response header names it."""
    play = Play()
    play.ask(headers={"x-pinion-release": name})
    assert "atlas-1.1.0" == play.upstream.last.json["model"]


@pytest.mark.parametrize(
    ("app", "name", "word"),
    [
        (App("helpdesk", None), "1.1.0", "may not force"),
        (App("helpdesk", None, may_force_release=True), "9.9.9", "has no release '9.9.9'"),
        (App("helpdesk", None, may_force_release=True), "0.9.0", "gets no requests: rolled back"),
    ],
)
def test_forcing_is_refused_without_the_right_or_without_the_release(app, name, word):
    """403, and the message says which."""
    play = Play(route(more={"0.9.0": release("0.9.0")}, out={"0.9.0": "rolled back"}), app)
    _, downstream = play.ask(headers={"x-pinion-release": name})
    assert word in refused(play, downstream, 403, "permission_error")


def test_a_refusal_after_the_route_is_known_is_recorded():
    """It has no release, and no attempt."""
    play = Play()
    play.ask(headers={"x-pinion-release": "9.9.9"})
    record = play.record
    assert ("desk", "", "", "", "client_fault", 403, ()) == (
        record.route,
        record.release,
        record.track,
        record.why,
        record.outcome,
        record.status,
        record.attempts,
    )


def test_a_refusal_before_the_route_is_known_is_logged_alone():
    """There is no series or row that it could belong to."""
    play = Play()
    play.ask(model="nope")
    name, fields = play.journal.events[-1]
    assert ([], [], "refused", 404, "chat") == (
        play.ledger.records,
        play.meters.records,
        name,
        fields["status"],
        fields["endpoint"],
    )


# What else a request says


@pytest.mark.parametrize(("sent", "known"), [("0", 0), ("2", 2), ("1000", 0), ("-1", 0), ("x", 0), ("²", 0), (None, 0)])
def test_an_sdks_retries_are_known(sent, known):
    """As the SDK counts them, within reason."""
    play = Play()
    play.ask(headers={} if sent is None else {"x-stainless-retry-count": sent})
    play.upstream.last.answer()
    assert known == play.record.sdk_retries


@pytest.mark.parametrize(
    ("path", "members", "stream"),
    [
        ("/v1/chat/completions", {"stream": True}, True),
        ("/v1/chat/completions", {"stream": "yes"}, False),
        ("/v1/chat/completions", {}, False),
        ("/v1/embeddings", {"stream": True, "input": "x"}, False),
    ],
)
def test_only_a_plain_true_is_a_stream(path, members, stream):
    """And only where an endpoint streams."""
    play = Play()
    play.ask(path=path, **members)
    play.upstream.last.answer(b'{"data":[]}' if path == "/v1/embeddings" else None)
    assert stream == play.record.stream


def test_the_input_is_known_by_its_digest_alone():
    """Of the body as it was sent, unpacked."""
    play = Play()
    play.ask(body=PLAIN)
    play.upstream.last.answer()
    play.ask(body=gzip.compress(PLAIN), headers={"content-encoding": "gzip"})
    play.upstream.last.answer()
    first, second = play.ledger.records
    assert first.input_digest == second.input_digest
    assert 64 == len(first.input_digest)
    assert "messages" not in json.dumps(play.journal.events)
