"""What the scenarios share: an application that asks the sample policies' routes, as many people."""

import json
import random
import time
from typing import Any

from locust import FastHttpUser, events

ROUTE = "support-assistant"
END = "data: [DONE]\n\n"
QUESTIONS = (
    "How do I reset my password?",
    "Where is my invoice for last month?",
    "The app does not start after the update; what now?",
    "Can I move my licence to another machine?",
)


class Application(FastHttpUser):
    """One caller with many users of its own; every answer is checked, not only counted."""

    abstract = True
    network_timeout = 60.0
    connection_timeout = 10.0

    def on_start(self) -> None:
        """Give this caller its own, repeatable randomness."""
        self.random = random.Random(id(self))
        self.seen: dict[str, str] = {}

    def body(self, **members: Any) -> dict[str, Any]:
        """Make a request of one of ten thousand people."""
        person = f"person-{self.random.randrange(10_000)}"
        question = self.random.choice(QUESTIONS)
        return {
            "model": ROUTE,
            "user": person,
            "messages": [{"role": "user", "content": question}],
            **members,
        }

    def chat(self) -> None:
        """Ask for a whole answer."""
        body = self.body()
        with self.client.post(
            "/v1/chat/completions",
            json=body,
            headers={"authorization": "Bearer load"},
            catch_response=True,
            name="chat",
        ) as answer:
            release = answer.headers.get("x-pinion-release") if answer.headers else None
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
            elif release is None or not json.loads(answer.text)["choices"][0]["message"]["content"]:
                answer.failure("no release named, or no content")

    def stream(self) -> None:
        """Ask for a stream and read it to its end; the first content's delay is reported as `first token`."""
        body = self.body(stream=True)
        started = time.perf_counter()
        with self.client.post(
            "/v1/chat/completions",
            json=body,
            headers={"authorization": "Bearer load"},
            catch_response=True,
            stream=True,
            name="stream",
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            first = None
            last = ""
            for piece in answer.iter_content(4096):
                first = first or time.perf_counter() - started
                last = (last + piece)[-len(END) :]
            if last != END:
                answer.failure("the stream ended before its end")
        if first is not None:
            events.request.fire(
                request_type="SSE",
                name="first token",
                response_time=first * 1000,
                response_length=0,
                exception=None,
                context={},
            )
