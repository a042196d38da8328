"""Streams: however a provider writes its events, both SDKs read the same answer from them."""

import threading

import pytest

TEXT = "Grüße \U0001f600\u2028 a\x85b \u2029 c\r\nd \\n \U0001f468\u200d\U0001f469\u200d\U0001f467 end"

ODD = [
    {"split": 1},
    {"newline": "crlf"},
    {"newline": "cr"},
    {"newline": "crlf", "split": 1},
    {"newline": "cr", "split": 3},
    {"comments": True},
    {"multiline": True},
    {"no_space": True},
    {"no_blank_end": True},
    {"extra_fields": {"obfuscation": "a1B2", "new": {"deep": [1]}}},
    {"comments": True, "multiline": True, "no_space": True, "newline": "crlf", "split": 7},
]

TOOLS = [
    {
        "name": name,
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}},
    }
    for name in ("weather", "tides")
]


def chat_text(openai_sdk, route, **fields):
    """The text of a chat stream."""
    with openai_sdk.chat.completions.create(**route.body(**fields), stream=True) as chunks:
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def message_text(anthropic_sdk, route, **fields):
    """The text of a Messages stream."""
    with anthropic_sdk.messages.stream(**route.body(**fields)) as stream:
        return stream.get_final_text()


@pytest.mark.parametrize("faults", ODD, ids=str)
def test_chat_streams_arrive(take, openai_sdk, faults):
    """OpenAI's SDK gets every character, however the provider wraps and cuts its events."""
    route = take("chat")
    route.behave(answer=TEXT, **faults)
    assert TEXT == chat_text(openai_sdk, route)
    assert "ok" == route.ending()["outcome"]


@pytest.mark.parametrize("faults", [one for one in ODD if one.get("newline") != "cr"], ids=str)
def test_message_streams_arrive(take, anthropic_sdk, faults):
    """Anthropic's SDK does too."""
    route = take("messages")
    route.behave(answer=TEXT, **faults)
    assert TEXT == message_text(anthropic_sdk, route)
    assert "ok" == route.ending()["outcome"]


def test_a_large_event_passes(take, openai_sdk):
    """One event of five megabytes arrives whole."""
    route = take("chat")
    route.behave(answer="a" * 5_000_000)
    assert 5_000_000 == len(chat_text(openai_sdk, route))


def test_ids_of_events_pass_without_comments_of_pinions_own(take, http):
    """The gateway adds no `id:` line and no comment: after an id, a comment makes OpenAI's SDK read an empty event."""
    route = take("chat")
    answer = http.post("/v1/chat/completions", json=route.body(stream=True))
    assert all(line.startswith("data: ") or line == "" for line in answer.text.split("\n"))


def test_nothing_follows_the_end(take, world, http):
    """A provider that has told the end, and then neither closes nor says more, makes no error of a whole answer."""
    route = take("verbatim")
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    closing = threading.Event()
    world.verbatim.says("200 OK\nContent-Type: text/event-stream\nConnection: close", stream, after=closing)
    try:
        answer = http.post("/v1/chat/completions", json=route.body(stream=True))
    finally:
        closing.set()
    assert stream == answer.content
    assert "ok" == route.ending()["outcome"]


def test_three_choices_are_interleaved(take, openai_sdk):
    """The choices of n=3 come in turns and each is whole; log probabilities are asked for as they were."""
    route = take("chat")
    texts: dict[int, str] = {}
    order = []
    asked = route.body(n=3, logprobs=True, top_logprobs=2)
    for chunk in openai_sdk.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            order.append(choice.index)
    assert [12, 12, 12] == [len(texts[index].split()) for index in range(3)]
    assert [0, 1, 2] * (len(order) // 3) == order
    sent = route.only().json()
    assert (3, True, 2) == (sent["n"], sent["logprobs"], sent["top_logprobs"])
    assert 36 == route.count("pinion_tokens_total", kind="output")


def test_parallel_tool_calls_of_chat(take, openai_sdk):
    """Two tool calls whose arguments come in turns are each whole at the end."""
    route = take("chat")
    tools = [{"type": "function", "function": tool} for tool in TOOLS]
    asked = route.body(tools=tools, tool_choice="required", parallel_tool_calls=True)
    called: dict[int, list[str]] = {}
    reasons = set()
    for chunk in openai_sdk.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            reasons.add(choice.finish_reason)
            for call in choice.delta.tool_calls or ():
                name, arguments = called.setdefault(call.index, ["", ""])
                called[call.index] = [name + (call.function.name or ""), arguments + (call.function.arguments or "")]
    whole = openai_sdk.chat.completions.create(**asked).choices[0].message.tool_calls
    assert ["weather", "tides"] == [call.function.name for call in whole] == [name for name, _ in called.values()]
    assert all(arguments.startswith('{"place":"') and '"days":7}' in arguments for _, arguments in called.values())
    assert {None, "tool_calls"} == reasons


def test_parallel_tool_uses_of_messages(take, anthropic_sdk):
    """Anthropic's SDK puts both tool uses together from the events."""
    route = take("messages")
    tools = [{"name": tool["name"], "input_schema": tool["parameters"]} for tool in TOOLS]
    asked = route.body(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": False})
    with anthropic_sdk.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    assert [("weather", 7), ("tides", 7)] == [(block.name, block.input["days"]) for block in final.content]
    assert "tool_use" == final.stop_reason


def test_tool_calls_of_responses(take, openai_sdk):
    """A function call of a response comes as events with numbers that rise by one."""
    route = take("chat")
    tools = [{"type": "function", **tool} for tool in TOOLS]
    asked = {"model": route.name, "input": "Weather?", "tools": tools, "tool_choice": "required"}
    events = list(openai_sdk.responses.create(**asked, stream=True))
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "weather" == events[-1].response.output[0].name


@pytest.mark.parametrize("sdk", ["openai_sdk", "anthropic_sdk"])
def test_an_answer_without_content_is_an_answer(take, request, sdk):
    """A stream that ends without a word, such as a refusal to write or a warmed cache, is passed on whole."""
    client = request.getfixturevalue(sdk)
    kind, text = ("chat", chat_text) if sdk == "openai_sdk" else ("messages", message_text)
    route = take(kind)
    if kind == "chat":
        route.behave(length=0)
        assert "" == text(client, route)
    else:
        with client.messages.stream(**route.body(max_tokens=0)) as stream:
            assert "max_tokens" == stream.get_final_message().stop_reason
    assert "ok" == route.ending()["outcome"]
