"""Every call that an application makes, by both SDKs, whole and streamed, waiting and asynchronous.

A script of its own, so that it runs on whichever generation of the SDKs its process finds: URL KEY CHAT MESSAGES
BROKEN_CHAT BROKEN_MESSAGES, the last four being routes. It prints one JSON object: what each call gave, or the names of
the classes of the exception that it raised, from its own up to that of the SDK.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import openai

MESSAGES: Any = [{"role": "user", "content": "Where is my parcel?"}]


def chat_text(chunks: list[Any]) -> str:
    """The text of a streamed chat completion."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def completion_text(chunks: list[Any]) -> str:
    """The text of a streamed completion."""
    return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


def response_text(events: list[Any]) -> str:
    """The text of a streamed response."""
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def message_text(events: list[Any]) -> str:
    """The text of a streamed message."""
    return "".join(event.delta.text for event in events if event.type == "content_block_delta")


def openai_requests(route: str, *, only_chat: bool) -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    """Name, call and reading of each of OpenAI's: the call takes a client, the reading its result."""
    chat: dict[str, Any] = {"model": route, "messages": MESSAGES}
    yield "chat", lambda c: c.chat.completions.create(**chat), lambda r: r.choices[0].message.content
    yield "chat stream", lambda c: c.chat.completions.create(**chat, stream=True), chat_text
    if only_chat:
        return
    plain: dict[str, Any] = {"model": route, "prompt": "Where is my parcel?"}
    asked: dict[str, Any] = {"model": route, "input": "Where is my parcel?"}
    yield "completion", lambda c: c.completions.create(**plain), lambda r: r.choices[0].text
    yield "completion stream", lambda c: c.completions.create(**plain, stream=True), completion_text
    yield "response", lambda c: c.responses.create(**asked), lambda r: r.output_text
    yield "response stream", lambda c: c.responses.create(**asked, stream=True), response_text
    yield "embedding", lambda c: c.embeddings.create(**asked), lambda r: len(r.data[0].embedding)
    yield "models", lambda c: c.models.list(), lambda r: route in [model.id for model in r.data]
    yield "model", lambda c: c.models.retrieve(route), lambda r: r.id == route


def anthropic_requests(
    route: str, *, only_messages: bool
) -> Iterator[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
    """The same for Anthropic's."""
    asked: dict[str, Any] = {"model": route, "messages": MESSAGES}
    limited = {**asked, "max_tokens": 100}
    yield "message", lambda c: c.messages.create(**limited), lambda r: r.content[0].text
    yield "message stream", lambda c: c.messages.create(**limited, stream=True), message_text
    if only_messages:
        return
    yield "count", lambda c: c.messages.count_tokens(**asked), lambda r: r.input_tokens
    yield "models", lambda c: c.models.list(), lambda r: route in [model.id for model in r.data]
    yield "model", lambda c: c.models.retrieve(route), lambda r: r.id == route


def called(client: Any, call: Callable[[Any], Any], read: Callable[[Any], Any]) -> Any:
    """What a call gave, or the exception that it raised."""
    try:
        result = call(client)
        return read(list(result) if isinstance(result, openai.Stream | anthropic.Stream) else result)
    except Exception as problem:  # noqa: BLE001 - which one it is is what is asked
        return raised(problem)


async def called_async(client: Any, call: Callable[[Any], Any], read: Callable[[Any], Any]) -> Any:
    """The same with an asynchronous client."""
    try:
        result = await call(client)
        return read([part async for part in result] if isinstance(result, AsyncIterator) else result)
    except Exception as problem:  # noqa: BLE001 - which one it is is what is asked
        return raised(problem)


def raised(problem: Exception) -> list[str]:
    """The names of an exception's classes, without those that all have."""
    return [one.__name__ for one in type(problem).__mro__ if one not in (Exception, BaseException, object)]


async def told(url: str, key: str, chat: str, messages: str, broken_chat: str, broken_messages: str) -> dict[str, Any]:
    """Make every call; gives the results by name."""
    asked = [
        (openai.OpenAI, openai.AsyncOpenAI, f"{url}/v1", "openai", openai_requests(chat, only_chat=False)),
        (openai.OpenAI, openai.AsyncOpenAI, f"{url}/v1", "broken openai", openai_requests(broken_chat, only_chat=True)),
        (
            anthropic.Anthropic,
            anthropic.AsyncAnthropic,
            url,
            "anthropic",
            anthropic_requests(messages, only_messages=False),
        ),
        (
            anthropic.Anthropic,
            anthropic.AsyncAnthropic,
            url,
            "broken anthropic",
            anthropic_requests(broken_messages, only_messages=True),
        ),
    ]
    results: dict[str, Any] = {"openai version": openai.__version__, "anthropic version": anthropic.__version__}
    for plain, asynchronous, base_url, name, requests in asked:
        options: dict[str, Any] = {"base_url": base_url, "api_key": key, "max_retries": 0, "timeout": 30}
        with plain(**options) as client:
            async with asynchronous(**options) as async_client:
                for what, call, read in requests:
                    results[f"{name} {what}"] = called(client, call, read)
                    results[f"async {name} {what}"] = await called_async(async_client, call, read)
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(told(*sys.argv[1:]))))  # noqa: T201 - what the test reads
