"""What the endpoints of the OpenAI wire have in common."""

import openai
import pytest


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (401, "authentication_error", openai.AuthenticationError),
        (404, "not_found_error", openai.NotFoundError),
        (422, "invalid_request_error", openai.UnprocessableEntityError),
        (429, "rate_limit_exceeded", openai.RateLimitError),
        (503, "server_error", openai.InternalServerError),
    ],
)
def test_errors_have_the_dialects_shape(sim, openai_client, chat, status, kind, raised):
    """An error has the envelope that the client reads, with a type that belongs to its status."""
    sim.behave(error_rate=1, error_status=status)
    with pytest.raises(raised) as caught:
        openai_client.chat.completions.create(**chat)
    assert kind == caught.value.type
    assert caught.value.request_id.startswith("req_")


def test_models_are_listed(sim, openai_client):
    """Models that have faults of their own are listed, and any can be asked for by name."""
    sim.behave_model("own", length=3)
    assert "own" in [model.id for model in openai_client.models.list()]
    assert ("any", "model") == (
        openai_client.models.retrieve("any").id,
        openai_client.models.retrieve("any").object,
    )
