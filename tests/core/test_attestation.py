"""Attestations: the envelope, the statement in it, and everything that is neither."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.attestation import (
    MAX_ENVELOPE_CHARS,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    Envelope,
    Signature,
    Statement,
    pre_authentication,
    read_envelope,
    read_statement,
    statement_payload,
)

SHA = "ab" * 32
STATED = Statement("desk/1.0.0", {"desk/1.0.0": SHA, "model:m@1": "cd" * 32}, {"signed_at": "2026-11-25T00:00:00Z"})


def enveloped(payload, kind=PAYLOAD_TYPE):
    """An envelope of a payload: bytes, or a value that becomes JSON."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Envelope(kind, raw, (Signature("k", b"s"),))


def stating(**changes):
    """A statement as JSON, with changes."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "desk/1.0.0", "digest": {"sha256": SHA}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"release": "desk/1.0.0"},
        **changes,
    }


def written(**changes):
    """An envelope's text, with changes."""
    return json.dumps({"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": "eA=="}], **changes})


def test_what_is_signed_is_as_dsse_says():
    """The specification's own example."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert expected == pre_authentication("http://example.com/HelloWorld", b"hello world")


@given(st.text(), st.binary(), st.text(), st.binary())
def test_no_two_payloads_are_signed_alike(kind, payload, other_kind, other_payload):
    """Neither the type nor the payload can borrow bytes of the other."""
    kinds = [kind.encode("utf-8", "replace").decode(), other_kind.encode("utf-8", "replace").decode()]
    same = (kinds[0], payload) == (kinds[1], other_payload)
    assert same == (pre_authentication(kinds[0], payload) == pre_authentication(kinds[1], other_payload))


def test_a_statement_is_read_as_it_was_written():
    """Through the envelope and back; the release is a part of the predicate."""
    envelope = Envelope(PAYLOAD_TYPE, statement_payload(STATED), (Signature("k", b"\xfb\xff"),))
    read = read_envelope(json.dumps(envelope.to_json()))
    assert envelope == read
    stated = read_statement(read)
    assert (STATED.release, STATED.subjects) == (stated.release, stated.subjects)
    assert {**STATED.predicate, "release": "desk/1.0.0"} == stated.predicate


def test_equal_statements_are_equal_bytes():
    """In whatever order their predicate was put together."""
    one = Statement("a/1", {"a/1": SHA}, {"x": 1, "y": 2})
    assert statement_payload(one) == statement_payload(Statement("a/1", {"a/1": SHA}, {"y": 2, "x": 1}))


def test_both_alphabets_of_base64_are_read():
    """As DSSE asks of who verifies; and what it does not know is passed over."""
    assert b"\xfb\xff" == read_envelope(written(payload="-_8=", more=1)).payload
    assert b"\xfb\xff" == read_envelope(written(payload="+/8=", signatures=[{"sig": "eA==", "keyid": 7}])).payload


def test_a_signature_shows_no_bytes():
    """Nor does an envelope show its payload."""
    shown = repr(enveloped(b"payload"))
    assert "payload=" not in shown
    assert "value=" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the envelope is not JSON"),
        ("{", "the envelope is not JSON"),
        ("[" * 100_000, "the envelope is not JSON"),
        ("[]", "the envelope is not a JSON object"),
        ('{"payload": "", "payload": ""}', "has a key twice"),
        ("{}", "no DSSE envelope"),
        (written(payload=1), "no DSSE envelope"),
        (written(signatures=[]), "no DSSE envelope"),
        (written(payload="e30"), "the envelope's payload is not base64"),
        (written(payload="e3ö="), "the envelope's payload is not base64"),
        (written(signatures=[{"sig": "?"}]), "the envelope's signature is not base64"),
        (written(signatures=["x"]), "a signature of the envelope has no sig"),
        (written(signatures=[{"sig": "eA=="}] * 17), "more than 16 signatures"),
        (" " * (MAX_ENVELOPE_CHARS + 1), "is over 262144 characters"),
    ],
)
def test_what_is_no_envelope_is_refused(text, said):
    """Each with what is wrong and what to do."""
    with pytest.raises(ValueError, match=said) as caught:
        read_envelope(text)
    assert "; " in str(caught.value)


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        (enveloped(stating(), "text/plain"), "the payload's type is 'text/plain', not application/vnd.in-toto"),
        (enveloped(b"\xff"), "not UTF-8"),
        (enveloped(b"nothing"), "the payload is not JSON"),
        (enveloped(stating(_type="https://in-toto.io/Statement/v0.1")), "no in-toto Statement v1"),
        (enveloped(stating(predicateType="urn:other")), "the predicate's type is 'urn:other'"),
        (enveloped(stating(predicateType=None)), "the predicate's type is None"),
        (enveloped(stating(subject=[])), "names no release among its subjects"),
        (enveloped(stating(predicate={})), "names no release among its subjects"),
        (enveloped(stating(predicate={"release": "desk/2.0.0"})), "names no release among its subjects"),
        (enveloped(stating(subject=[{"name": "desk/1.0.0", "digest": {"sha256": "AB"}}])), "no SHA-256 digest"),
        (enveloped(stating(subject=["desk/1.0.0"])), "a subject of the statement has no name"),
        (enveloped(stating(subject=stating()["subject"] * 2)), "a subject of the statement has no name of its own"),
        (enveloped(stating(subject=stating()["subject"] * 17)), "more than 16 subjects"),
    ],
)
def test_what_states_nothing_of_a_release_is_refused(envelope, said):
    """Another type, above all, whatever its signature: a signature is for one meaning."""
    with pytest.raises(ValueError, match=said) as caught:
        read_statement(envelope)
    assert "; " in str(caught.value)


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: written(payload=base64.b64encode(raw).decode())))
def test_no_text_is_too_strange(text):
    """It is read, or refused with a reason."""
    try:
        read_statement(read_envelope(text))
    except ValueError as error:
        assert "; " in str(error)  # noqa: PT017 - a refusal is one of the two good ends
