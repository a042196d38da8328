"""Streams that the provider cuts, at every byte: the client has whole events, and a clear end or the whole answer.

The events that the client got are read here by the standard's rules, not by the gateway's own reading of them.
"""

import json
import re
from dataclasses import dataclass

import pytest

from tests.proxy.playbook import (
    BLOCK,
    DONE,
    MESSAGE_START,
    MESSAGE_STOP,
    ROLE,
    USAGE,
    Play,
    anthropic_play,
    ask_messages,
    delta,
    named,
)

RESET, CLOSED = "the provider hung up", "the provider's stream ended before its end"


@dataclass(frozen=True)
class Sort:
    """A sort of stream: its events, and with how many of them the client has content, and the end of the answer."""

    events: list[bytes]
    content: int
    finish: int

    def asked(self, end: bytes):
        """A request for one, its line ends as wanted: the play, the client's side, and the events as they are sent."""
        play = anthropic_play() if self is MESSAGES else Play()
        path = "/v1/responses" if self is RESPONSES else "/v1/chat/completions"
        options = {"include_usage": True} if self is CHAT else None
        _, downstream = (
            ask_messages(play) if self is MESSAGES else play.ask(path=path, stream=True, stream_options=options)
        )
        return play, downstream, [event.replace(b"\n", end) for event in self.events]


CHAT = Sort([ROLE, delta("hé"), delta("!"), delta(finish="stop"), USAGE, DONE], 2, 4)
MESSAGES = Sort([MESSAGE_START, BLOCK, named("message_delta", delta={"stop_reason": "end_turn"}), MESSAGE_STOP], 2, 4)
RESPONSES = Sort(
    [
        named("response.created", response={"id": "resp_1", "status": "in_progress"}, sequence_number=0),
        named("response.output_text.delta", delta="hi", sequence_number=1),
        named("response.completed", response={"id": "resp_1", "status": "completed"}, sequence_number=2),
    ],
    2,
    3,
)
SORTS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}


def heard(body: bytes) -> list[tuple[str, str]]:
    """The names and data of a body's events; nothing may be left over that no empty line has ended."""
    events, name, data = [], "", []
    *lines, rest = re.split("\r\n|\n|\r", body.decode())
    for line in lines:
        field, _, value = line.partition(": ")
        if line:
            assert field in ("event", "data"), line
            name, data = (value, data) if field == "event" else (name, [*data, value])
        elif data:
            events.append((name, "\n".join(data)))
            name, data = "", []
    assert ("", "", []) == (rest, name, data)
    return events


def is_failure(sort: Sort, event: tuple[str, str], said: str) -> bool:
    """Whether an event is the dialect's word that the answer has failed, and why."""
    name, told = event[0], json.loads(event[1])
    if sort is CHAT:
        return (name, said, "choices" in told) == ("", told["error"]["message"], False)
    if sort is MESSAGES:
        return (name, "error", said) == ("error", told["type"], told["error"]["message"])
    response = told["response"]
    return (name, told["type"], "failed", said, "resp_1") == (
        *("response.failed",) * 2,
        response["status"],
        response["error"]["message"],
        response["id"],
    )


def cut_after(sort: Sort, count: int, *, end: bytes, is_clean: bool, size: int) -> None:
    """Cut a stream after so many bytes, which come in pieces of a size, and hold what is promised."""
    play, downstream, events = sort.asked(end)
    stream = b"".join(events)
    came = stream[:count]
    play.upstream.last.stream(*(came[at : at + size] for at in range(0, count, size)))
    play.upstream.last.end() if is_clean else play.upstream.last.fail("cut", RESET)
    edges = [len(b"".join(events[: number + 1])) for number in range(len(events))]
    complete = sum(edge <= count for edge in edges)
    assert "finished" == downstream.ended
    if downstream.status != 200:
        assert (502, True) == (downstream.status, complete < sort.content)
        assert downstream.json["error"]["message"]
        return
    whole, got = heard(stream), heard(downstream.body)
    if got == whole[: len(got)]:
        assert (True, "ok") == (len(got) >= sort.finish, play.record.outcome)
        return
    assert (got[:-1], "failed") == (whole[:complete], play.record.outcome)
    assert sort.content <= complete < sort.finish
    assert is_failure(sort, got[-1], CLOSED if is_clean else RESET)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(("end", "is_clean", "size"), [(b"\n", False, 4096), (b"\n", True, 61), (b"\r\n", False, 61)])
def test_a_stream_cut_after_any_byte_is_never_half_an_event(sort, end, is_clean, size):
    """By a reset or a clean close: a 502 before content, an error event after it, or the whole answer."""
    stream = b"".join(SORTS[sort].asked(end)[2])
    for count in range(len(stream) + 1):
        cut_after(SORTS[sort], count, end=end, is_clean=is_clean, size=size)
