"""The callers: some hundred users behind the official OpenAI and Anthropic SDKs, streaming and not."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Self

import anthropic
import httpx2
import openai
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from gateway.cli.demo.policies import ROUTE, SUMMARIES, Wire
from gateway.cli.demo.tally import Answer, Ending

USERS = 400
RATE = 110
"""Requests a second: with the SDKs and everything else on the same machine, about one of two cores."""

MOST_OPEN = 100
"""Requests under way at once. A machine that cannot keep up gets fewer requests instead of a queue."""

SUMMARIES_EVERY = 6
"""One request in so many is an Anthropic one."""

TIMEOUT = 20.0

QUESTIONS = (
    ("Where is my parcel?", 8),
    ("How do I return a lamp that arrived broken?", 100),
    ("When is the shop in the old town open?", 8),
    ("Can I change the address of an order that is on its way?", 100),
    ("Do you have this lamp in green?", 8),
)
"""What users ask, and how many tokens the answer may have: two questions in five want a long one."""

FAULTS = (openai.OpenAIError, anthropic.AnthropicError, httpx2.HTTPError)
"""What an SDK raises when it has no whole answer."""


@dataclass(slots=True)
class Seen:
    """An answer as it comes in; until its end has come it is an error, or a cut stream."""

    release: str | None = None
    track: str | None = None
    model: str | None = None
    ending: Ending = "error"
    fault: str = ""

    def head(self, headers: Mapping[str, str]) -> None:
        """Note which release answers, and why."""
        self.release = headers.get("x-pinion-release", "").partition("/")[2] or None
        self.track = headers.get("x-pinion-track")

    def refused(self, error: Exception) -> None:
        """Note what the SDK raised; an error's answer has a head, too."""
        self.fault = str(error) or type(error).__name__
        if isinstance(error, openai.APIStatusError | anthropic.APIStatusError):
            self.head(error.response.headers)


class Callers:
    """Users who ask one after the other at `RATE`, each with one request under way at most.

    The SDKs' own retries are off: what goes wrong is seen.
    """

    def __init__(self, url: str, keys: Mapping[Wire, str], took: Callable[[Answer], None]) -> None:
        """`url` is the gateway's, `keys` those of the applications; `took` gets every answer once it has ended."""
        self._took = took
        self._stack = AsyncExitStack()
        self._openai = openai.AsyncOpenAI(
            base_url=f"{url}/v1",
            api_key=keys["openai"],
            max_retries=0,
            timeout=TIMEOUT,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        )
        self._anthropic = anthropic.AsyncAnthropic(
            base_url=url,
            api_key=keys["anthropic"],
            max_retries=0,
            timeout=TIMEOUT,
            http_client=anthropic.DefaultAsyncHttpxClient(trust_env=False),
        )

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._openai)
        await self._stack.enter_async_context(self._anthropic)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def ask_until(self, stop: asyncio.Event) -> None:
        """Ask until told to stop, and wait for the answers that are under way."""
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(MOST_OPEN)
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            for turn, user in _turns():
                if stop.is_set():
                    return
                await room.acquire()
                asking = group.create_task(self._ask(turn, user))
                asking.add_done_callback(lambda _: room.release())
                due = max(due, loop.time() - 1) + 1 / RATE
                await asyncio.sleep(due - loop.time())

    async def _ask(self, turn: int, user: str) -> None:
        question, most_tokens = QUESTIONS[turn % len(QUESTIONS)]
        summary = turn % SUMMARIES_EVERY == 0
        stream = turn // SUMMARIES_EVERY % 2 == 0
        seen, asked_at = Seen(), time.time()
        try:
            if summary:
                await self._message(user, question, seen, stream=stream)
            else:
                await self._chat(user, question, most_tokens, seen, stream=stream)
        except FAULTS as error:
            seen.refused(error)
        self._took(
            Answer(
                user=user,
                route=SUMMARIES.route if summary else ROUTE,
                release=seen.release,
                track=seen.track,
                model=seen.model,
                stream=stream,
                asked_at=asked_at,
                ended_at=time.time(),
                ending=seen.ending,
                fault=seen.fault,
            )
        )

    async def _chat(self, user: str, question: str, most_tokens: int, seen: Seen, *, stream: bool) -> None:
        """Ask on the OpenAI wire."""
        raw = await self._openai.chat.completions.with_raw_response.create(
            model=ROUTE,
            messages=[{"role": "user", "content": question}],
            max_completion_tokens=most_tokens,
            user=user,
            stream=stream,
        )
        seen.head(raw.headers)
        answer = raw.parse()
        if isinstance(answer, ChatCompletion):
            seen.model, seen.ending = answer.model, "whole"
            return
        seen.ending = "cut"
        finished = False
        async for chunk in answer:
            seen.model = chunk.model
            finished = finished or any(choice.finish_reason is not None for choice in chunk.choices)
        seen.ending = "whole" if finished else "cut"

    async def _message(self, user: str, question: str, seen: Seen, *, stream: bool) -> None:
        """Ask on the Anthropic wire."""
        raw = await self._anthropic.messages.with_raw_response.create(
            model=SUMMARIES.route,
            max_tokens=256,
            messages=[{"role": "user", "content": question}],
            metadata={"user_id": user},
            stream=stream,
        )
        seen.head(raw.headers)
        answer = await raw.parse()
        if isinstance(answer, Message):
            seen.model, seen.ending = answer.model, "whole"
            return
        seen.ending = "cut"
        async for event in answer:
            if event.type == "message_start":
                seen.model = event.message.model
            elif event.type == "message_stop":
                seen.ending = "whole"


def _turns() -> Iterator[tuple[int, str]]:
    """Give the users round by round, each with a number that decides how it asks.

    It grows by one from round to round, so that a user asks on both wires, streaming and not.
    """
    return ((number % USERS + number // USERS, f"user-{number % USERS:03d}") for number in count())
