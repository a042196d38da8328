"""Answers that Pinion gives itself, and errors of providers that it passes on."""

import json
from email.utils import formatdate

import pytest

from gateway.core.errors import (
    Malformed,
    NotFound,
    PinionError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamFault,
)
from gateway.core.provider import Credential
from gateway.proxy.attempts import fault_failure, in_band_failure, status_failure
from gateway.proxy.refusal import answer_failure, refuse
from gateway.wire.dialects import DIALECTS
from tests.proxy import playbook

OWN = [(b"x-request-id", b"req-1"), (b"x-pinion-release", b"desk/1.0.0")]
JSON = (b"content-type", b"application/json; charset=utf-8")
ERROR = b'{"error":{"message":"theirs","type":"x"}}'
NOW = 1_700_000_000.0


def answered(failure, dialect="openai", provider=None):
    """The answer to a failure of a provider: status, header fields, body as JSON."""
    answer = answer_failure(failure, provider or playbook.provider(), DIALECTS[dialect], OWN, NOW)
    names = [name for name, _ in answer.headers]
    assert len(names) == len(set(names)), "no field is sent twice"
    return answer.status, dict(answer.headers), json.loads(answer.body)


@pytest.mark.parametrize(
    ("fault", "status", "code", "extra"),
    [
        (Malformed("m"), 400, "invalid_request_error", {b"x-should-retry": b"false"}),
        (NotFound("m"), 404, "not_found_error", {b"x-should-retry": b"false"}),
        (TooLarge("m"), 413, "request_too_large", {b"x-should-retry": b"false"}),
        (Unavailable("m"), 503, "overloaded_error", {b"retry-after": b"1"}),
        (PinionError("m"), 500, "api_error", {b"retry-after": b"1"}),
    ],
)
def test_a_refusal_has_the_status_of_its_fault(fault, status, code, extra):
    """And tells SDKs whether another try could help."""
    answer = refuse(fault, DIALECTS["openai"], OWN)
    assert status == answer.status
    assert {**dict(OWN), b"content-type": b"application/json", **extra} == dict(answer.headers)
    assert ({"message": "m", "code": code}, "req-1") == (
        {name: json.loads(answer.body)["error"][name] for name in ("message", "code")},
        json.loads(answer.body)["request_id"],
    )


def test_a_missing_key_is_challenged():
    """As RFC 9110 asks of a 401."""
    answer = refuse(Unauthenticated(), DIALECTS["anthropic"], OWN)
    assert (401, b"Bearer") == (answer.status, dict(answer.headers)[b"www-authenticate"])
    assert "authentication_error" == json.loads(answer.body)["error"]["type"]


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503, 529])
def test_a_providers_own_error_is_passed_on(status):
    """Byte for byte, with what it says of itself; the client need not retry, for that has been done."""
    fields = [JSON, (b"x-request-id", b"up"), (b"x-should-retry", b"true"), (b"x-ratelimit-limit-requests", b"9")]
    got, headers, body = answered(status_failure(status, fields, ERROR))
    assert (status, json.loads(ERROR)) == (got, body)
    assert {
        **dict(OWN),
        b"content-type": JSON[1],
        b"x-upstream-request-id": b"up",
        b"x-ratelimit-limit-requests": b"9",
        b"x-should-retry": b"false",
    } == headers


def test_a_rate_limit_keeps_its_wait_and_its_word():
    """There the client's own retry makes sense."""
    fields = [JSON, (b"retry-after", b"7"), (b"x-should-retry", b"true")]
    status, headers, _ = answered(status_failure(429, fields, ERROR))
    assert (429, b"7", b"true") == (status, headers[b"retry-after"], headers[b"x-should-retry"])


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        (b"retry-after", b"0", b"0"),
        (b"retry-after", b"1.5", b"1.5"),
        (b"retry-after", b"120", b"120"),
        (b"retry-after", b"121", b"120"),
        (b"retry-after", b"3600", b"120"),
        (b"retry-after", b"inf", b"120"),
        (b"retry-after", b"nan", b"120"),
        (b"retry-after", b"-1", b"0"),
        (b"retry-after", b"-0.5", b"0"),
        (b"retry-after", b"-inf", b"0"),
        (b"retry-after", b"1e999", b"120"),
        (b"retry-after", b"9" * 400, b"120"),
        (b"retry-after", formatdate(NOW - 1, usegmt=True).encode(), b"0"),
        (b"retry-after", formatdate(NOW, usegmt=True).encode(), formatdate(NOW, usegmt=True).encode()),
        (b"retry-after", formatdate(NOW + 60, usegmt=True).encode(), formatdate(NOW + 60, usegmt=True).encode()),
        (b"retry-after", formatdate(NOW + 600, usegmt=True).encode(), b"120"),
        (b"retry-after", b"soon", None),
        (b"retry-after", b"Wed, 99 Foo 2026 99:99:99 GMT", None),
        (b"retry-after", b"Wed, 21 Oct 99999 07:28:00 GMT", None),
        (b"retry-after-ms", b"1500", b"1500"),
        (b"retry-after-ms", b"3600000", b"120000"),
        (b"retry-after-ms", b"-1500", b"0"),
        (b"retry-after-ms", b"inf", b"120000"),
        (b"retry-after-ms", b"x", None),
    ],
)
@pytest.mark.parametrize("body", [ERROR, b"<html>"])
def test_a_wait_is_kept_within_what_sdks_bear(name, sent, kept, body):
    """OpenAI's SDK gives up on more than two minutes, Anthropic's would sleep for all of it."""
    _, headers, _ = answered(status_failure(429, [JSON, (name, sent)], body))
    assert kept == headers.get(name)


@pytest.mark.parametrize("status", [401, 402, 403, 407])
def test_a_word_on_pinions_own_credential_stays_inside(status):
    """It may quote the key, and the application can do nothing about it."""
    body = b'{"error":{"message":"Incorrect API key provided: sk-provider"}}'
    got, headers, said = answered(status_failure(status, [JSON], body))
    assert (502, b"false") == (got, headers[b"x-should-retry"])
    assert f"answered {status} to the gateway's own credential" in said["error"]["message"]
    assert "sk-provider" not in json.dumps(said)


@pytest.mark.parametrize(
    ("status", "fields", "body", "told"),
    [
        (502, [(b"content-type", b"text/html")], b"<html>Bad Gateway</html>", 502),
        (500, [JSON], b"<html>", 502),
        (500, [JSON], b"", 502),
        (400, [], ERROR, 400),
        (413, [(b"content-type", b"text/html")], b"<html>", 413),
        (429, [(b"content-type", b"text/html")], b"<html>", 429),
        (503, [], b"", 503),
        (529, [], b"", 529),
        (302, [JSON], ERROR, 502),
    ],
)
def test_an_error_that_is_none_of_the_dialect_is_said_by_pinion(status, fields, body, told):
    """HTML, nothing, and what is no error at all."""
    got, headers, said = answered(status_failure(status, fields, body))
    assert (told, b"application/json") == (got, headers[b"content-type"])
    assert f"the provider answered {status}" == said["error"]["message"]


def test_an_error_inside_a_good_status_is_a_502():
    """It is known by its kind; the provider's own words may quote the prompt."""
    status, _, said = answered(in_band_failure(200, "overloaded_error"), "anthropic")
    assert (502, "the provider's answer failed: overloaded_error") == (status, said["error"]["message"])


@pytest.mark.parametrize(
    ("kind", "status"),
    [("connect", 502), ("protocol", 502), ("cut", 502), ("first_byte", 504), ("idle", 504), ("total", 504)],
)
def test_a_fault_of_the_transport_is_a_502_and_a_deadline_a_504(kind, status):
    """No retry by the client: Pinion's own are spent."""
    got, headers, said = answered(fault_failure(UpstreamFault(kind, "what happened"), 200))
    assert (status, b"false", "what happened") == (got, headers[b"x-should-retry"], said["error"]["message"])


@pytest.mark.parametrize("kind", ["pool", "local"])
def test_what_pinion_lacks_is_a_503_that_may_be_tried_again(kind):
    """A connection within its own limit, or the machine's room for one."""
    status, headers, said = answered(fault_failure(UpstreamFault(kind, "all in use")))
    assert (503, b"1", "overloaded_error") == (status, headers[b"retry-after"], said["error"]["code"])
    assert b"x-should-retry" not in headers


def test_a_request_that_fits_no_release_is_the_clients():
    """With the status and the words of its fault."""
    status, _, said = answered(fault_failure(Malformed("prompt variable 'x' is missing")))
    assert (400, "prompt variable 'x' is missing") == (status, said["error"]["message"])


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("secret", ["sk-provider", "sk/provider/key"])
def test_an_error_that_quotes_the_credential_does_not_pass(status, secret):
    """Neither its body nor the header fields that have it; with a slash escaped, too. Pinion says what failed."""
    shown = Credential("env:KEY", b"authorization", f"Bearer {secret}".encode())
    body = json.dumps({"error": {"message": f"sent was Bearer {secret}"}}).replace("/", "\\/").encode()
    failure = status_failure(status, [JSON, (b"x-echo", f"Bearer {secret}".encode()), (b"x-kept", b"1")], body)
    _, fields, told = answered(failure, provider=playbook.provider(credential=shown))
    assert f"the provider answered {status}" == told["error"]["message"]
    assert b"x-echo" not in fields
    plain = status_failure(status, failure.headers, ERROR)
    _, fields, told = answered(plain, provider=playbook.provider(credential=shown))
    assert ("theirs", b"1") == (told["error"]["message"], fields[b"x-kept"])
    assert b"x-echo" not in fields


def test_a_credential_too_short_to_tell_from_words_is_not_looked_for():
    """It would be found by chance."""
    short = Credential("env:KEY", b"authorization", b"Bearer theirs")
    assert b"" == playbook.provider(credential=short).secret == playbook.provider(credential=None).secret
    told = answered(status_failure(400, [JSON], ERROR), provider=playbook.provider(credential=short))[2]
    assert "theirs" == told["error"]["message"]
