"""Text completions, through the official client."""

import pytest


def test_a_completion_has_the_real_shape(openai_client):
    """A text completion has its text, its end and its usage."""
    answer = openai_client.completions.create(model="m", prompt="say something", n=2)
    assert ("text_completion", "m", 24) == (answer.object, answer.model, answer.usage.completion_tokens)
    assert answer.id.startswith("cmpl-")
    assert ["stop", "stop"] == [choice.finish_reason for choice in answer.choices]


def test_a_stream_ends_with_its_usage_when_asked(openai_client):
    """A stream tells the text token by token, then the end, then the usage."""
    chunks = list(
        openai_client.completions.create(
            model="m", prompt="say", stream=True, max_tokens=3, stream_options={"include_usage": True}
        )
    )
    assert 3 == len("".join(chunk.choices[0].text for chunk in chunks[:-1]).split())
    assert "length" == chunks[-2].choices[0].finish_reason
    assert ([], 3) == (chunks[-1].choices, chunks[-1].usage.completion_tokens)


def test_a_stream_has_no_usage_otherwise(http):
    """No chunk has the key `usage` when nobody asks."""
    content = http.post("/v1/completions", json={"model": "m", "prompt": "say", "stream": True}).text
    assert '"usage"' not in content
    assert content.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("body", "param"), [({}, "prompt"), ({"prompt": "a", "max_tokens": -1}, "max_tokens")])
def test_a_wrong_request_is_refused(http, body, param):
    """A request that the provider does not accept is a 400 that names the parameter."""
    answer = http.post("/v1/completions", json={"model": "m", **body})
    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])
