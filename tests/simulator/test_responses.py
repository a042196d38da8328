"""Responses, through the official client."""

import orjson
import pytest

TOOLS = [
    {
        "type": "function",
        "name": name,
        "parameters": {"properties": {"city": {"type": "string"}}},
        "strict": False,
    }
    for name in ("weather", "time")
]


def test_a_response_has_the_real_shape(openai_client):
    """A response is completed, names its model and the response that it follows, and has a usage that adds up."""
    first = openai_client.responses.create(model="m", input="say something")
    second = openai_client.responses.create(
        model="m", input=[{"role": "user", "content": "and more"}], previous_response_id=first.id
    )
    assert ("completed", "m", first.id) == (second.status, second.model, second.previous_response_id)
    assert first.id.startswith("resp_")
    assert first.id != second.id
    assert 12 == second.usage.output_tokens == len(second.output_text.split())
    assert second.usage.total_tokens == second.usage.input_tokens + 12


def test_a_stream_tells_the_response_in_numbered_events(openai_client):
    """Every event has its place in the stream, from created to completed, and the text adds up."""
    events = list(openai_client.responses.create(model="m", input="say", stream=True))
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert ("response.created", "response.completed") == (events[0].type, events[-1].type)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    assert 12 == events[-1].response.usage.output_tokens


def test_events_have_names_and_no_done(http):
    """Each event has an `event:` line with its type, and the stream does not end with `[DONE]`."""
    content = http.post("/v1/responses", json={"model": "m", "input": "say", "stream": True}).text
    for event in content.strip().split("\n\n"):
        name, data = event.split("\n")
        assert name.removeprefix("event: ") == orjson.loads(data.removeprefix("data: "))["type"]


def test_a_limit_leaves_it_incomplete(openai_client):
    """A limit that ends the text is told as an incomplete response."""
    answer = openai_client.responses.create(model="m", input="say", max_output_tokens=3)
    assert ("incomplete", "max_output_tokens") == (answer.status, answer.incomplete_details.reason)
    assert 3 == answer.usage.output_tokens


def test_a_required_tool_is_called(openai_client):
    """With `tool_choice: required` the output is a call of the first tool."""
    answer = openai_client.responses.create(model="m", input="say", tools=TOOLS, tool_choice="required")
    (call,) = answer.output
    assert ("function_call", "weather") == (call.type, call.name)
    assert ["city"] == list(orjson.loads(call.arguments))


def test_a_named_tool_is_streamed(openai_client):
    """The arguments of a call come in pieces and join to the whole."""
    choice = {"type": "function", "name": "time"}
    with openai_client.responses.stream(model="m", input="say", tools=TOOLS, tool_choice=choice) as stream:
        pieces = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        final = stream.get_final_response()
    assert ("time", "".join(pieces)) == (final.output[0].name, final.output[0].arguments)


def test_usage_can_be_set(sim, openai_client):
    """Set usage fields win, a set total too."""
    sim.behave(usage={"input_tokens": 7, "total_tokens": 99, "output_tokens_details": {"reasoning_tokens": 4}})
    usage = openai_client.responses.create(model="m", input="say").usage
    assert (7, 99, 4) == (
        usage.input_tokens,
        usage.total_tokens,
        usage.output_tokens_details.reasoning_tokens,
    )


def test_an_error_inside_a_stream_is_a_failed_response(sim, openai_client):
    """An in-stream error is `response.failed` with the next number in the stream."""
    sim.behave(stream_error={"after": 2, "type": "server_error", "message": "gone"})
    *_, last = openai_client.responses.create(model="m", input="say", stream=True)
    assert ("response.failed", 2, "failed") == (last.type, last.sequence_number, last.response.status)
    assert ("server_error", "gone") == (last.response.error.code, last.response.error.message)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": "a", "previous_response_id": 3}, "previous_response_id"),
        ({"input": "a", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "a", "tools": {}}, "tools"),
    ],
)
def test_a_wrong_request_is_refused(http, body, param):
    """A request that the provider does not accept is a 400 that names the parameter."""
    answer = http.post("/v1/responses", json={"model": "m", **body})
    assert (400, param) == (answer.status_code, answer.json()["error"]["param"])
