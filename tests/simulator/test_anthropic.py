"""Messages, token counts and errors of the Anthropic wire, through the official client."""

import anthropic
import pytest

MESSAGES = [{"role": "user", "content": "say something plain"}]
TOOLS = [
    {"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    for name in ("weather", "time")
]


def test_a_message_has_the_real_shape(anthropic_client):
    """A message names the model asked for, and has an id, a text, a stop reason and a usage."""
    answer = anthropic_client.messages.create(model="m-1", messages=MESSAGES, max_tokens=100)
    assert ("m-1", "message", "end_turn") == (answer.model, answer.type, answer.stop_reason)
    assert answer.id.startswith("msg_01")
    assert 12 == answer.usage.output_tokens == len(answer.content[0].text.split())
    assert (0, "standard") == (answer.usage.cache_read_input_tokens, answer.usage.service_tier)
    assert answer._request_id.startswith("req_01")


def test_a_stream_has_the_real_events(http):
    """A stream starts the message and its block, pings, tells the tokens, and stops both."""
    body = {"model": "m", "messages": MESSAGES, "max_tokens": 2, "stream": True}
    lines = http.post("/v1/messages", json=body).text.split("\n")
    assert [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] == [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_a_stream_adds_up_to_a_message(anthropic_client):
    """What the client gathers from a stream is a whole message with the final usage."""
    with anthropic_client.messages.stream(model="m", messages=MESSAGES, max_tokens=5) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert (text, "max_tokens") == (final.content[0].text, final.stop_reason)
    assert 5 == final.usage.output_tokens


def test_max_tokens_may_be_zero(anthropic_client):
    """A request for no tokens, which warms a cache, is answered with none."""
    answer = anthropic_client.messages.create(model="m", messages=MESSAGES, max_tokens=0)
    assert (0, "max_tokens") == (answer.usage.output_tokens, answer.stop_reason)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "any"}, ["weather"]),
        ({"type": "any", "disable_parallel_tool_use": False}, ["weather", "time"]),
        ({"type": "tool", "name": "time"}, ["time"]),
    ],
)
def test_tools_are_called(anthropic_client, choice, names):
    """A tool choice that asks for calls gets them, streamed as JSON in pieces and whole alike."""
    given = {"model": "m", "messages": MESSAGES, "max_tokens": 99, "tools": TOOLS, "tool_choice": choice}
    whole = anthropic_client.messages.create(**given)
    with anthropic_client.messages.stream(**given) as stream:
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert names == [block.name for block in message.content]
        assert "tool_use" == message.stop_reason
        assert all(["city"] == list(block.input) for block in message.content)


def test_tools_are_not_called_unasked(anthropic_client):
    """Tools alone, or an automatic choice, give a text."""
    answer = anthropic_client.messages.create(
        model="m", messages=MESSAGES, max_tokens=99, tools=TOOLS, tool_choice={"type": "auto"}
    )
    assert "text" == answer.content[0].type


def test_tokens_are_counted_as_they_are_billed(anthropic_client):
    """The count of a request is the input of its answer's usage."""
    given = {"model": "m", "messages": MESSAGES, "system": "be brief"}
    counted = anthropic_client.messages.count_tokens(**given)
    assert counted.input_tokens == anthropic_client.messages.create(**given, max_tokens=9).usage.input_tokens


def test_start_and_final_usage_can_differ(sim, anthropic_client):
    """`start_usage` is what the stream starts with, `usage` what it ends with, which wins in the client."""
    sim.behave(
        start_usage={"input_tokens": 900, "cache_read_input_tokens": 0},
        usage={"input_tokens": 100, "cache_read_input_tokens": 800, "output_tokens": 7},
    )
    given = {"model": "m", "messages": MESSAGES, "max_tokens": 99}
    events = list(anthropic_client.messages.create(**given, stream=True))
    assert (900, 1) == (events[0].message.usage.input_tokens, events[0].message.usage.output_tokens)
    delta = events[-2].usage
    assert (100, 800, 7) == (delta.input_tokens, delta.cache_read_input_tokens, delta.output_tokens)


def test_usage_can_be_left_out(sim, http):
    """With `omit_usage` the last usage is empty."""
    sim.behave(omit_usage=True)
    body = {"model": "m", "messages": MESSAGES, "max_tokens": 2, "stream": True}
    assert '"stop_sequence":null},"usage":{}}' in http.post("/v1/messages", json=body).text


def test_an_error_inside_a_stream_reaches_the_client(sim, anthropic_client):
    """An in-stream error, here as the first event, raises in the client with its type and status 200."""
    sim.behave(stream_error={"message": "busy"})
    stream = anthropic_client.messages.create(model="m", messages=MESSAGES, max_tokens=9, stream=True)
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(stream)
    assert (200, "overloaded_error") == (caught.value.status_code, caught.value.type)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
        (422, "invalid_request_error"),
    ],
)
def test_errors_have_the_dialects_shape(sim, http, status, kind):
    """An error names its type by status, and the request."""
    sim.behave(error_rate=1, error_status=status)
    answer = http.post("/v1/messages", json={"model": "m"})
    document = answer.json()
    assert (status, "error", kind) == (answer.status_code, document["type"], document["error"]["type"])
    assert answer.headers["request-id"] == document["request_id"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": MESSAGES}, "max_tokens: Field required"),
        ({"max_tokens": 3}, "messages: at least one message is required"),
    ],
)
def test_a_wrong_request_is_refused(http, body, message):
    """A request that the provider does not accept is a 400 whose message opens with the parameter."""
    answer = http.post("/v1/messages", json={"model": "m", **body})
    assert (400, message) == (answer.status_code, answer.json()["error"]["message"])


def test_models_are_listed_in_this_dialect(sim, anthropic_client):
    """Models that have faults of their own are listed, and any can be asked for by name."""
    sim.behave_model("own", length=3)
    assert "own" in [model.id for model in anthropic_client.models.list()]
    assert "any" == anthropic_client.models.retrieve("any").id
