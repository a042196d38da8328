"""Bad input: refused in the dialect's shape, within bounded memory, and nothing of it reaches a provider."""

import gzip
import json
import secrets
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import brotli
import httpx2
import pytest
import zstandard

from tests.endtoend.harness import KEY, MAX_BODY, request
from tests.gateway_process import wait_until

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"

NOTHING_IS_SENT = pytest.mark.usefixtures("nothing_is_sent")
BOTH = pytest.mark.parametrize("path", [CHAT, MESSAGES])

NO_REQUESTS = [
    b"",
    b"not JSON",
    b'{"model": "chat-002"',
    b"[]",
    b'"chat-002"',
    b"null",
    b'{"model":"chat-002"} {}',
    b"\xef\xbb\xbf{}",
    b'{"model":"\xff"}',
    b'{"model":"chat-002","seed":NaN}',
    b'{"model":"chat-002","a":"\\ud800"}',
    b'{"model":"chat-002","model":"chat-003"}',
    b'{"model":"chat-002","x":{"a":1,"a":2}}',
    b'{"model":"chat-002","m\\u006fdel":"chat-003"}',
    b"{}",
    b'{"model":null}',
    b'{"model":""}',
    b'{"model":["chat-002"]}',
    b'{"model":"chat-002","n":' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"model":"chat-002","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"model":"chat-002","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
]


@pytest.fixture
def nothing_is_sent(world):
    """Fails the test if a provider receives anything during it."""
    simulator = world.gateway.simulator
    wait_until(lambda: simulator.stats()["open"] == 0)
    before = simulator.stats()["requests"]
    yield
    assert before == simulator.stats()["requests"]


def told(answer, path):
    """The message of an error, whose shape must be that of the path's dialect."""
    document = answer.json()
    assert answer.headers["x-request-id"] == document["request_id"]
    assert ("error" == document.get("type")) is path.startswith(MESSAGES)
    return document["error"]["message"]


@BOTH
@pytest.mark.parametrize("body", NO_REQUESTS, ids=lambda body: repr(body[:40]))
@NOTHING_IS_SENT
def test_what_is_no_request_is_a_400(http, path, body):
    """A body that is not one strict JSON object that names a route is a 400 that says what is wrong."""
    answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert (400, "false") == (answer.status_code, answer.headers["x-should-retry"])
    assert told(answer, path)


@BOTH
@NOTHING_IS_SENT
def test_an_unknown_route_is_a_404_that_names_the_others(http, path):
    """Who names no route is told the routes that the key may call."""
    answer = http.post(path, json={"model": "gpt-4o", "messages": []})
    assert 404 == answer.status_code
    assert "no route 'gpt-4o' for this key; it may call backed-001, " in told(answer, path)


@BOTH
@pytest.mark.parametrize("chunked", [False, True])
@NOTHING_IS_SENT
def test_a_body_over_the_limit_is_a_413(world, path, chunked):
    """One byte over 32 MiB is refused, told by Content-Length before it is sent, and by chunks as they come."""
    body = b'{"model":"chat-002","x":"'.ljust(MAX_BODY + 1, b"a")
    if chunked:
        pieces = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        answer = world.ask(request(path, framed, "Transfer-Encoding: chunked"))
    else:
        answer = world.ask(request(path, body))
    assert 413 == answer.status
    assert "33554432 bytes" in told(answer, path)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@NOTHING_IS_SENT
def test_a_bomb_is_a_413_in_bounded_memory(world, encoding):
    """A body of kilobytes that unpacks to 256 megabytes is a 413, in memory not far over the limit."""
    headers = f"Content-Encoding: {encoding}"
    world.ask(request(CHAT, bomb(encoding, 1), headers))
    world.forget_peak()
    in_use = world.memory("VmRSS")
    answer = world.ask(request(CHAT, bomb(encoding, 256), headers))
    assert 413 == answer.status
    assert world.memory("VmHWM") - in_use < 3 * MAX_BODY


def bomb(encoding: str, megabytes: int) -> bytes:
    """Zeros, packed."""
    piece = bytes(2**20)
    if encoding == "br":
        packer = brotli.Compressor(quality=5)
        return b"".join(packer.process(piece) for _ in range(megabytes)) + packer.finish()
    if encoding == "zstd":
        zstd = zstandard.ZstdCompressor().compressobj()
        return b"".join(zstd.compress(piece) for _ in range(megabytes)) + zstd.flush()
    packed = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    return b"".join(packed.compress(piece) for _ in range(megabytes)) + packed.flush()


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b'{"model":"chat-002"}')[:-5]], ids=["no gzip", "cut short"]
)
@NOTHING_IS_SENT
def test_a_broken_packing_is_a_400(http, body):
    """A body that does not unpack, or whose end is missing, is a 400."""
    answer = http.post(CHAT, content=body, headers={"content-encoding": "gzip"})
    assert 400 == answer.status_code


@BOTH
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([f"X-Long: {'a' * 16_384}"], 431),
        ([f"X-Many-{number}: {'a' * 100}" for number in range(160)], 431),
        ([f"X-Many-{number}: a" for number in range(101)], 431),
        ([f"X-Long: {'a' * 1_000_000}"], 431),
    ],
    ids=["one", "many", "count", "endless"],
)
@NOTHING_IS_SENT
def test_large_heads_are_refused(world, path, fields, status):
    """Headers over 16 KiB, or more than a hundred, are a 431 in the dialect's shape."""
    answer = world.ask(request(path, b"{}", *fields))
    assert status == answer.status
    assert "head is over" in told(answer, path)


def test_a_head_just_under_the_limit_passes(take, world):
    """Fifteen KiB of headers are an ordinary request."""
    route = take("chat")
    body = json.dumps(route.body()).encode()
    assert 200 == world.ask(request(CHAT, body, f"X-Long: {'a' * 15_000}")).status
    assert 15_000 == len(route.only().header("x-long"))


@NOTHING_IS_SENT
def test_slow_senders_are_let_go(world):
    """A head that never ends, and a body that falls silent, end within their deadlines while others are served."""
    with world.wire() as slow_head, world.wire() as slow_body:
        slow_head.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nX-Slow: ")
        slow_body.send(request(CHAT, bytes(100))[:-50])
        over = threading.Event()
        with ThreadPoolExecutor(1) as beside:
            asking = beside.submit(_drip, slow_head, over)
            answers = [slow_head.answer(), slow_body.answer()]
            over.set()
            asking.result()
    assert [408, 408] == [answer.status for answer in answers]


def _drip(wire, over):
    """Send a byte of a header now and then: progress that leads nowhere moves no deadline."""
    while not over.wait(1):
        wire.send(b"a")


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions;x=1",
        "/v1/chat/%63ompletions",
        "/v1/chat/./completions",
        "/v1/x/../chat/completions",
        "/v1/x/%2e%2e/chat/completions",
        "/v1%2fchat/completions",
        "/V1/chat/completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions%20",
        "/v1/chat",
        "/v1/files",
        "/admin/v1/status",
        "/metrics",
        "/_simulator/faults",
        "/v1/responses/resp_1",
        "http://127.0.0.1:9/v1/files",
        "\\v1\\chat\\completions",
    ],
)
@NOTHING_IS_SENT
def test_other_spellings_of_a_path_reach_nothing(world, path):
    """Only the exact path is an endpoint: no decoding, folding or trimming makes another one of it."""
    answer = world.ask(request(path, b'{"model":"chat-002","messages":[{"role":"user","content":"x"}]}'))
    assert answer.status in (400, 404)


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/messages/batches"])
@NOTHING_IS_SENT
def test_an_endpoint_that_is_not_served_is_named(http, path):
    """What the gateway does not govern is a 404 in the dialect of its path, and is not passed on either."""
    answer = http.post(path, json={"model": "chat-002"})
    assert 404 == answer.status_code
    assert f"there is no endpoint POST {path}" in told(answer, path)


def test_the_host_of_a_target_chooses_nothing(take, world):
    """A target may be a whole address, as for a proxy: its path is served here, its host is nobody's."""
    route = take("chat")
    answer = world.ask(request(f"http://127.0.0.1:9{CHAT}", json.dumps(route.body()).encode()))
    assert 200 == answer.status
    assert CHAT == route.only().target


@BOTH
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
@NOTHING_IS_SENT
def test_other_methods_are_refused(world, path, method):
    """The endpoints that write take POST alone."""
    assert 405 == world.ask(request(path, method=method)).status


@pytest.mark.parametrize(
    "data",
    [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nX-A: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@NOTHING_IS_SENT
def test_what_is_no_http_is_refused(world, data):
    """Bytes that are not HTTP, or that two readers could understand differently, end the connection."""
    assert 400 == world.ask(data).status


def test_nothing_a_client_sends_breaks_a_log_line(take, world, http):
    """Line ends and control characters in names, units and headers stay inside one JSON line each."""
    route = take("chat")
    evil = 'x"}\r\n{"event":"forged","level":"critical"}\u2028\x1b[31m\x00'
    http.post(CHAT, json={"model": evil, "messages": []})
    http.post(CHAT, json=route.body(user=evil, metadata={"user_id": evil}))
    body = json.dumps(route.body()).encode()
    world.ask(request(CHAT, body, "X-Pinion-Unit: a\x85b", "User-Agent: \x9b2J"))
    for field in ("User-Agent: \x1b[2J", 'Traceparent: x\n{"event":"forged"}', "X-Pinion-Unit: \x00"):
        assert 400 == world.ask(request(CHAT, body, field)).status
    wait_until(lambda: len(route.events()) == 2)
    lines = list(world.gateway.log)
    assert [] == world.gateway.events("forged")
    assert all("event" in json.loads(line) for line in lines)
    assert not any(character in line for line in lines for character in "\r\x1b\x00\u2028\x85")


@pytest.mark.untraced
def test_nothing_a_client_sends_adds_a_series(take, world, http):
    """A thousand made-up routes, keys, units, versions and headers add no series to the metrics."""
    route = take("chat")
    http.post(CHAT, json=route.body())
    http.post(CHAT, json=route.body(), headers={"x-stainless-retry-count": "1"})
    http.post(CHAT, json={"model": "made-up"})
    wait_until(lambda: len(route.events()) == 2)
    before = series(world)
    with httpx2.Client(base_url=world.url) as client:
        for number in range(250):
            made_up = secrets.token_hex(8)
            key = {"authorization": f"Bearer {KEY}"}
            client.post(CHAT, json={"model": made_up, "messages": []}, headers=key)
            client.post(CHAT, json=route.body(), headers={"authorization": f"Bearer {made_up}"})
            client.post(f"/v1/{made_up}", json={}, headers=key)
            headers = {"x-pinion-unit": made_up, "x-stainless-retry-count": str(number), "user-agent": made_up}
            client.post(CHAT, json=route.body(user=made_up), headers={**key, **headers})
    wait_until(lambda: len(route.events()) == 252)
    assert set() == series(world) - before


def series(world):
    """The names and labels of all samples."""
    return {line.rpartition(" ")[0] for line in world.metrics()}


@NOTHING_IS_SENT
def test_an_upgrade_is_refused(world):
    """A WebSocket handshake is answered clearly: there is none here yet."""
    fields = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    data = request("/v1/responses", b"", *fields, method="GET").replace(b"Connection: close", b"Connection: Upgrade")
    assert 501 == world.ask(data).status
