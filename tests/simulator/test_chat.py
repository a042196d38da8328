"""Chat completions, through the official client."""

import openai
import orjson
import pytest

MESSAGES = [{"role": "user", "content": "say something plain"}]
CITY = {"city": {"type": "string"}}
PLACE = {"city": {"type": "string"}, "street": {"type": "string"}}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"properties": properties}}}
    for name, properties in (("weather", PLACE), ("time", CITY))
]


def test_a_completion_has_the_real_shape(openai_client):
    """A completion names the model asked for, and has an id, a text, a fingerprint and a usage that adds up."""
    answer = openai_client.chat.completions.create(model="m-1", messages=MESSAGES)
    assert ("m-1", "chat.completion", "stop") == (
        answer.model,
        answer.object,
        answer.choices[0].finish_reason,
    )
    assert answer.id.startswith("chatcmpl-")
    assert answer.system_fingerprint.startswith("fp_")
    assert 12 == answer.usage.completion_tokens == len(answer.choices[0].message.content.split())
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    assert 0 == answer.usage.prompt_tokens_details.cached_tokens
    assert answer._request_id.startswith("req_")


def test_a_stream_tells_the_same_answer_again(sim, openai_client):
    """A stream has the role first, then the tokens, then the end; the same body gives the same text."""

    def chunks():
        return list(openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True))

    first, second = chunks(), chunks()
    assert "assistant" == first[0].choices[0].delta.role
    assert "stop" == first[-1].choices[0].finish_reason
    assert 1 == len({chunk.id for chunk in first})
    texts = ["".join(chunk.choices[0].delta.content or "" for chunk in one) for one in (first, second)]
    assert texts[0] == texts[1]
    assert 12 == len(texts[0].split())
    assert [True, True] == [one.stream for one in sim.settled()]


@pytest.mark.parametrize(("options", "shown"), [({}, False), ({"stream_options": {"include_usage": False}}, False)])
def test_usage_is_absent_when_nobody_asks(http, chat, options, shown):
    """No chunk has the key `usage` when the request does not ask for it."""
    content = http.post("/v1/chat/completions", json={**chat, "stream": True, **options}).text
    assert shown is ('"usage"' in content)


def test_usage_comes_in_a_chunk_of_its_own(http, chat):
    """Asked for, usage is null in every chunk but the last before `[DONE]`, which has no choices."""
    body = {**chat, "stream": True, "stream_options": {"include_usage": True}}
    *events, done, _ = http.post("/v1/chat/completions", json=body).text.split("\n\n")
    chunks = [orjson.loads(event.removeprefix("data: ")) for event in events]
    assert "data: [DONE]" == done
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks[:-1])
    assert [] == chunks[-1]["choices"]
    assert 12 == chunks[-1]["usage"]["completion_tokens"]


def test_a_provider_may_ignore_the_wish_for_usage(sim, http, chat):
    """With `omit_usage` the wish for usage has no effect."""
    sim.behave(omit_usage=True)
    body = {**chat, "stream": True, "stream_options": {"include_usage": True}}
    assert '"usage"' not in http.post("/v1/chat/completions", json=body).text


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": "usage"}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
)
def test_a_wrong_request_is_refused(http, chat, changes, param):
    """A request that the provider does not accept is a 400 that names the parameter."""
    answer = http.post("/v1/chat/completions", json={**chat, **changes})
    assert 400 == answer.status_code
    error = answer.json()["error"]
    assert ("invalid_request_error", param, None) == (error["type"], error["param"], error["code"])


def test_several_choices_are_interleaved(openai_client):
    """With `n`, the chunks of the choices alternate and each choice has an end of its own."""
    chunks = list(openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True, n=3))
    order = [chunk.choices[0].index for chunk in chunks]
    assert [0, 1, 2] * (len(order) // 3) == order
    assert ["stop"] * 3 == [chunk.choices[0].finish_reason for chunk in chunks[-3:]]
    whole = openai_client.chat.completions.create(model="m", messages=MESSAGES, n=3)
    assert 36 == whole.usage.completion_tokens


def test_choices_of_unequal_length_are_all_told(openai_client):
    """Choices whose tool calls have arguments of different lengths are told to their ends."""
    given = {"model": "m", "messages": MESSAGES, "tools": TOOLS, "tool_choice": "required", "n": 8}
    told = dict.fromkeys(range(8), "")
    for chunk in openai_client.chat.completions.create(**given, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            told[chunk.choices[0].index] += call.function.arguments
    assert 1 < len({len(arguments) // 8 for arguments in told.values()})
    assert all({"city", "street"} == set(orjson.loads(arguments)) for arguments in told.values())


def test_a_limit_truncates(sim, openai_client):
    """A limit ends the text with the reason `length`."""
    sim.behave(length=50)
    answer = openai_client.chat.completions.create(model="m", messages=MESSAGES, max_completion_tokens=4)
    assert ("length", 4) == (answer.choices[0].finish_reason, answer.usage.completion_tokens)


def test_a_required_tool_is_called(openai_client):
    """With tools and `tool_choice: required` the answer is a call of the first tool, with its arguments."""
    answer = openai_client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS, tool_choice="required")
    (call,) = answer.choices[0].message.tool_calls
    assert ("tool_calls", None) == (answer.choices[0].finish_reason, answer.choices[0].message.content)
    assert "weather" == call.function.name
    assert ["city", "street"] == list(orjson.loads(call.function.arguments))


def test_a_named_tool_is_called(openai_client):
    """A tool choice that names a function gets a call of it."""
    answer = openai_client.chat.completions.create(
        model="m",
        messages=MESSAGES,
        tools=[*TOOLS, {"type": "custom"}],
        tool_choice={"type": "function", "function": {"name": "time"}},
    )
    assert "time" == answer.choices[0].message.tool_calls[0].function.name


def test_parallel_calls_are_streamed_interleaved(openai_client):
    """Parallel tool calls arrive in alternating pieces, which join to whole arguments per index."""
    with openai_client.chat.completions.stream(
        model="m", messages=MESSAGES, tools=TOOLS, tool_choice="required", parallel_tool_calls=True
    ) as stream:
        deltas = [
            event.chunk.choices[0].delta.tool_calls[0].index
            for event in stream
            if event.type == "chunk" and event.chunk.choices[0].delta.tool_calls
        ]
        final = stream.get_final_completion()
    assert [0, 1, 0, 1] == deltas[:4]
    calls = final.choices[0].message.tool_calls
    assert ["weather", "time"] == [call.function.name for call in calls]
    assert all("city" in orjson.loads(call.function.arguments) for call in calls)


def test_usage_can_be_set(sim, openai_client):
    """Set usage fields win, details key by key, and the total follows."""
    sim.behave(usage={"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 80}})
    usage = openai_client.chat.completions.create(model="m", messages=MESSAGES).usage
    assert (100, 112, 80) == (
        usage.prompt_tokens,
        usage.total_tokens,
        usage.prompt_tokens_details.cached_tokens,
    )
    assert 0 == usage.prompt_tokens_details.audio_tokens


def test_the_total_can_be_set(sim, openai_client):
    """A set total stands."""
    sim.behave(usage={"total_tokens": 5})
    assert 5 == openai_client.chat.completions.create(model="m", messages=MESSAGES).usage.total_tokens


def test_usage_can_be_set_to_nothing(sim, http, chat):
    """A count set to null is told so, and is nothing in the total."""
    sim.behave(usage={"prompt_tokens": None})
    usage = http.post("/v1/chat/completions", json=chat).json()["usage"]
    assert (None, 12) == (usage["prompt_tokens"], usage["total_tokens"])


def test_another_model_may_serve(sim, openai_client):
    """`served_model` and `fingerprint` are what the answer names."""
    sim.behave(served_model="m-other", fingerprint="fp_own")
    answer = openai_client.chat.completions.create(model="m", messages=MESSAGES, service_tier="flex")
    assert ("m-other", "fp_own", "flex") == (answer.model, answer.system_fingerprint, answer.service_tier)


def test_an_error_inside_a_stream_reaches_the_client(sim, openai_client):
    """An in-stream error raises in the client, with its type."""
    sim.behave(stream_error={"after": 3, "type": "server_error", "message": "gone"})
    stream = openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="gone") as caught:
        list(stream)
    assert "server_error" == caught.value.type
