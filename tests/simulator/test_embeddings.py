"""Embeddings, as floats and as base64."""

import base64
from array import array

import pytest


def test_the_client_reads_base64_by_itself(sim, openai_client):
    """The official client asks for base64 and gets one unit vector an input, the same for the same input."""
    answer = openai_client.embeddings.create(model="e", input=["one", "two", "one"])
    first, second, third = (one.embedding for one in answer.data)
    assert "base64" == sim.requests()[0].json()["encoding_format"]
    assert first == third != second
    assert 256 == len(first)
    assert pytest.approx(1, abs=1e-5) == sum(value * value for value in first)
    assert (3, 3) == (answer.usage.prompt_tokens, answer.usage.total_tokens)


def test_both_formats_are_the_same_vector(http):
    """Base64 is the little-endian 32-bit form of the floats."""
    body = {"model": "e", "input": [1, 2, 3], "dimensions": 8}
    floats = http.post("/v1/embeddings", json=body).json()["data"]
    packed = http.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()["data"]
    assert 1 == len(floats)
    assert floats[0]["embedding"] == array("f", base64.b64decode(packed[0]["embedding"])).tolist()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_a_wrong_request_is_refused(http, body, param):
    """A request that the provider does not accept is a 400 that names the parameter."""
    answer = http.post("/v1/embeddings", json={"model": "e", **body})
    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])
