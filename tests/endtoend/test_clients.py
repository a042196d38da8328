"""Clients that leave, read slowly, wait for leave to send, or come in crowds; and mirrors that hang."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from gateway.proxy.mirror import MAX_ACTIVE, MAX_QUEUED
from gateway.wire.endpoint import ENDPOINTS
from tests.endtoend.harness import HELLO, OTHER, SMALL_POOL, STABLE, request
from tests.gateway_process import wait_until

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"

OWN = {
    "/v1/responses": {"input": "Hello?"},
    "/v1/completions": {"prompt": "Hello?"},
    "/v1/embeddings": {"input": "Hello?"},
    "/v1/messages/count_tokens": {"messages": HELLO},
}
"""What requests to an endpoint hold, where it is not what chat requests do."""

GOVERNED = [
    ("messages" if each.dialect_name == "anthropic" else "chat", each.path, stream)
    for each in ENDPOINTS
    for stream in ((False, True) if each.streams else (False,))
]
"""Every endpoint that a release answers, whole and in a stream where it has one."""

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"word " * 200 + b'"}}]}\n\n'
LAST_EVENTS = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def asked(route, path, **fields):
    """A request to a route, as bytes."""
    body = {"model": route.name, **OWN[path], **fields} if path in OWN else route.body(**fields)
    return request(path, json.dumps(body).encode())


@pytest.mark.parametrize("hang", ["head", "first", "middle"])
@pytest.mark.parametrize(("kind", "path", "stream"), GOVERNED)
def test_a_client_that_leaves_ends_the_call(take, world, kind, path, stream, hang):
    """Before the head, before the first byte, in the middle: the connection to the provider closes at once."""
    route = take(kind)
    route.behave(hang=hang)
    with world.wire() as wire:
        wire.send(asked(route, path, **({"stream": True} if stream else {})))
        if hang == "middle" and stream:
            wire.read_until(b"data: ")
        else:
            route.wait(lambda them: len(them) == 1)
    (left,) = route.wait(lambda them: them[0].finished)
    assert (True, False) == (left.aborted, left.cut)
    assert ("cancelled", 1) == (route.ending()["outcome"], route.ending()["attempts"])


@pytest.mark.parametrize(("kind", "path", "end"), [("chat", CHAT, b"[DONE]"), ("messages", MESSAGES, b"message_stop")])
def test_a_client_that_leaves_after_the_end_has_its_answer(take, world, kind, path, end):
    """Leaving once the last event is there is no cancellation, even if the provider keeps its connection open."""
    route = take(kind)
    with world.wire() as wire:
        wire.send(asked(route, path, stream=True))
        wire.read_until(end)
    assert "ok" == route.ending()["outcome"]


def test_a_client_that_leaves_in_its_request_sends_nothing(take, world):
    """A body that is cut off never reaches the provider."""
    route = take("chat")
    with world.wire() as wire:
        wire.send(asked(route, CHAT)[:-10])
    wait_until(lambda: world.open_requests() == 0)
    assert [] == route.received()


def test_many_cancelled_streams_leave_nothing_behind(take, world):
    """After 300 streams were left in the middle, thirty at a time, every connection to the provider is free again."""
    left, after = take("small"), take("small")
    left.behave(hang="middle")
    data = asked(left, CHAT, stream=True)

    def leave(_: int) -> bool:
        with world.wire() as wire:
            wire.send(data)
            return b"200 OK" in wire.read_until(b"\r\n\r\n")

    with ThreadPoolExecutor(SMALL_POOL) as crowd:
        answered = sum(crowd.map(leave, range(300)))
    assert answered == len(left.wait(lambda them: sum(one.aborted for one in them) >= answered))
    after.behave(hang="head")
    with ThreadPoolExecutor(SMALL_POOL) as crowd:
        answers = [crowd.submit(world.ask, asked(after, CHAT)) for _ in range(SMALL_POOL)]
        after.wait(lambda them: len(them) == SMALL_POOL)
        after.behave(hang=None)
        assert [200] * SMALL_POOL == [answer.result().status for answer in answers]
    assert 0 == world.open_requests()


def test_a_slow_reader_fills_no_memory(take, world):
    """An answer that its client does not read waits in the sockets, not in the gateway's memory; nothing is lost."""
    route = take("verbatim")
    events = 40_000
    world.verbatim.says(
        "200 OK\nContent-Type: text/event-stream\nConnection: close", *repeat(EVENT, events), LAST_EVENTS
    )
    with world.wire(receive_buffer=65536) as wire:
        world.forget_peak()
        in_use = world.memory("VmRSS")
        wire.send(asked(route, CHAT, stream=True, stream_options={"include_usage": True}))
        first = wire.read_until(b"data: ")
        wait_until_still(lambda: world.verbatim.sent)
        assert world.memory("VmHWM") - in_use < 16 * 2**20
        body = first + wire.read_all()
    assert (events, True) == (body.count(EVENT), body.endswith(LAST_EVENTS + b"\r\n0\r\n\r\n"))
    assert "ok" == route.ending()["outcome"]


def wait_until_still(figure):
    """Wait until a growing figure has not changed for a while."""
    pause = threading.Event()
    last, same = figure(), 0
    while same < 20:
        pause.wait(0.02)
        now = figure()
        same = same + 1 if now == last else 0
        last = now


def test_a_hanging_mirror_delays_nobody(take, http):
    """While every copy hangs at the shadow's provider, fifty requests are answered; the copies wait or are dropped."""
    route = take("mirrored")
    route.behave(OTHER, hang="head")
    try:
        for number in range(50):
            answer = http.post(CHAT, json=route.body(stream=number % 2 == 1))
            assert (200, "stable") == (answer.status_code, answer.headers["x-pinion-track"])
        copies = route.wait(lambda them: len(them) == 50, OTHER)
        assert {None} == {copy.finished for copy in copies}
        assert 50 == route.count("pinion_requests_total", release=STABLE, outcome="ok")
        assert 0 == route.count("pinion_shadow_total", result="ok")
    finally:
        route.behave(OTHER, hang=None)
    wait_until(lambda: route.count("pinion_shadow_total", result="ok") == 50)


def test_copies_beyond_the_queue_are_dropped_and_counted(take, http):
    """A mirror takes so many copies and no more; the rest are dropped, and every request is answered all the same."""
    route = take("mirrored")
    route.behave(OTHER, hang="head")
    try:
        with ThreadPoolExecutor(4) as crowd:
            statuses = list(crowd.map(lambda _: http.post(CHAT, json=route.body()).status_code, range(400)))
        assert [200] * 400 == statuses
        assert 400 - MAX_ACTIVE - MAX_QUEUED == route.count("pinion_shadow_total", result="dropped")
    finally:
        route.behave(OTHER, hang=None)
    wait_until(lambda: route.count("pinion_shadow_total") == 400)


def test_a_copy_is_its_releases_and_not_the_applications(take, http):
    """A copy is not streamed, leaves no trace at the provider, and its tokens and cost are the shadow's alone."""
    route = take("mirrored")
    body = route.body(stream=True, store=True, metadata={"k": "v"}, stream_options={"include_usage": True})
    http.post(CHAT, json=body)
    wait_until(lambda: route.count("pinion_shadow_total", result="ok"))
    copy = route.only(OTHER).json()
    assert route.model(OTHER) == copy["model"]
    assert set() == copy.keys() & {"stream", "store", "metadata", "stream_options"}
    assert 12 == route.count("pinion_tokens_total", release=OTHER, track="shadow", kind="output")
    assert 1 == route.count("pinion_app_requests_total")


def test_leave_to_send_is_given_to_those_who_may(take, world):
    """Expect: 100-continue is answered before the body is sent, and the body then as ever."""
    route = take("chat")
    head, _, body = asked(route, CHAT).partition(b"\r\n\r\n")
    with world.wire() as wire:
        wire.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(body)
        assert 200 == wire.answer().status
    assert None is route.only().header("expect")


@pytest.mark.parametrize(
    ("key", "length", "status"), [("pk-nobody", 100, 401), ("pk-desk-5f1c0a", 33 * 1024 * 1024, 413)]
)
def test_leave_to_send_is_refused_by_the_head(world, key, length, status):
    """A wrong key or too long a body is answered at once, and the upload is saved."""
    lines = [f"POST {CHAT} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {key}", "Connection: close"]
    lines += [f"Content-Length: {length}", "Expect: 100-continue", "", ""]
    answer = world.ask("\r\n".join(lines).encode())
    assert status == answer.status


def test_a_connection_serves_one_request_after_another(take, world):
    """Two requests on one connection, sent at once, are answered in order."""
    first, second = take("chat"), take("chat")
    one = asked(first, CHAT).replace(b"Connection: close\r\n", b"")
    with world.wire() as wire:
        wire.send(one + asked(second, CHAT))
        text = wire.read_all()
    assert 2 == text.count(b"HTTP/1.1 200 OK")
    assert text.index(first.model().encode()) < text.index(second.model().encode())
