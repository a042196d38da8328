"""Request and answer bodies: what passes byte for byte, what is edited, what is unpacked."""

import base64
import gzip
import json
import statistics
import threading
import time
import zlib
from array import array

import brotli
import httpx2
import pytest
import zstandard

from tests.endtoend.harness import HELLO, RENDERED, request

ODD_BODY = (
    '{ "zeta":1.50,\t"model" : "ROUTE" ,"messages":[{"content":"\\u00e9\\ud83d\\ude00 \u2028\U0001f600",'
    ' "role":"user"}],'
    '\n "seed":12345678901234567890, "temperature":1E-2, "future_field":{"b":[null,true,{"a":-0.0}],"a":""},'
    '"base_url":"http://127.0.0.1:9/","api_base":"http://127.0.0.1:9/","metadata":{"k":"\\/"} }\r\n'
)
"""Unknown fields, an order and numbers that a JSON library would not write back like this."""

STREAM_HEAD = "200 OK\nContent-Type: text/event-stream\nConnection: close"
JSON_HEAD = "200 OK\nContent-Type: application/json\nConnection: close"

ENCODERS = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


def test_a_request_passes_byte_for_byte(take, http):
    """Unknown fields, key order, whitespace, escapes and the spelling of numbers stay; only the model is the pin's."""
    route = take("chat")
    sent = ODD_BODY.replace("ROUTE", route.name).encode()
    answer = http.post("/v1/chat/completions", content=sent, headers={"content-type": "application/json"})
    assert 200 == answer.status_code, answer.text
    assert sent.replace(route.name.encode(), route.model().encode()) == route.only().body


def test_fields_that_name_a_host_choose_nothing(take, http, world):
    """base_url, api_base and the like are plain fields: the request goes where the policies say, and they go along."""
    route = take("chat")
    named = dict.fromkeys(("base_url", "api_base", "host", "provider", "endpoint", "api_key"), world.verbatim.url)
    before = len(world.verbatim.received)
    headers = {"x-forwarded-host": "127.0.0.1:9", "x-base-url": world.verbatim.url, "host": "elsewhere:9"}
    assert 200 == http.post("/v1/chat/completions", json=route.body(**named), headers=headers).status_code
    received = route.only()
    assert named.items() <= received.json().items()
    assert f"127.0.0.1:{world.gateway.simulator.port}" == received.header("host")
    assert before == len(world.verbatim.received)


def test_a_redirect_is_not_followed(take, http, world):
    """A provider cannot send the gateway, and its credential, somewhere else."""
    route = take("verbatim")
    place = f"{world.gateway.simulator.url}/v1/chat/completions"
    world.verbatim.says(f"307 Temporary Redirect\nLocation: {place}\nContent-Length: 0\nConnection: close")
    answer = http.post("/v1/chat/completions", json=route.body())
    assert 502 == answer.status_code
    assert "location" not in answer.headers
    assert [] == route.received()


def test_an_answer_passes_byte_for_byte(take, http, world):
    """A whole answer reaches the client as the provider wrote it."""
    route = take("verbatim")
    body = b'{ "new":[1.0,1E3] ,\n"choices":[{"message":{"content":"\\u00e9\\/"}}],\t"model":"' + route.model().encode()
    body += b'"}\n'
    world.verbatim.says(f"{JSON_HEAD}\nContent-Length: {len(body)}", body)
    answer = http.post("/v1/chat/completions", json=route.body())
    assert (200, body) == (answer.status_code, answer.content)


def test_a_stream_passes_byte_for_byte(take, http, world):
    """Events reach the client as the provider wrote them: comments, odd spacing and unknown fields too."""
    route = take("verbatim")
    stream = (
        b': hello\n\ndata:{"choices":[{"index":0,"delta":{"content":"\xe2\x80\xa8a"},"new":1.0}]}\n\n'
        b'event: odd\ndata: {"choices":[{"index":0,\ndata: "delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    world.verbatim.says(STREAM_HEAD, stream)
    answer = http.post("/v1/chat/completions", json=route.body(stream=True, stream_options={"include_usage": True}))
    assert (200, stream) == (answer.status_code, answer.content)


def test_a_large_answer_passes(take, world, http):
    """Twenty megabytes of vectors, more than are looked into for their usage, pass byte for byte."""
    route = take("verbatim")
    pieces = [b'{"object":"list","data":[', *[b'{"embedding":"' + b"A" * 2**20 + b'"},'] * 20, b'{}],"model":"x"}']
    size = sum(map(len, pieces))
    world.verbatim.says(f"{JSON_HEAD}\nContent-Length: {size}", *pieces)
    answer = http.post("/v1/embeddings", json={"model": route.name, "input": "x"})
    assert (200, size) == (answer.status_code, len(answer.content))
    assert b"".join(pieces) == answer.content


def test_a_large_answer_that_is_cut_does_not_end_well(take, world, http):
    """When an answer that has begun is cut and JSON has no word for it, the client's connection is cut as well."""
    route = take("verbatim")
    world.verbatim.says(f"{JSON_HEAD}\nContent-Length: 5000000", b'{"data":[', b"1," * 1_000_000)
    with pytest.raises(httpx2.RemoteProtocolError):
        http.post("/v1/embeddings", json={"model": route.name, "input": "x"})
    assert "failed" == route.ending()["outcome"]


def test_embeddings_pass_as_the_bytes_they_are(take, http, openai_sdk):
    """Vectors in base64 are relayed as they came, and the SDK reads the same numbers from them."""
    route = take("chat")
    body = {"model": route.name, "input": "Where is my parcel?", "encoding_format": "base64"}
    text = http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    vector = openai_sdk.embeddings.create(model=route.name, input=body["input"]).data[0].embedding
    assert base64.b64decode(text) == bytes_of(vector)
    assert "base64" == route.received()[1].json()["encoding_format"]


def bytes_of(vector):
    """A vector as little-endian 32-bit floats."""
    return array("f", vector).tobytes()


@pytest.mark.parametrize("encoding", ENCODERS)
def test_a_packed_request_is_unpacked(take, http, encoding):
    """A compressed body is read, edited and sent on plain, with nothing that says it was packed."""
    route = take("chat")
    plain = json.dumps(route.body(future=1)).encode()
    headers = {"content-type": "application/json", "content-encoding": encoding}
    answer = http.post("/v1/chat/completions", content=ENCODERS[encoding](plain), headers=headers)
    assert 200 == answer.status_code, answer.text
    received = route.only()
    assert None is received.header("content-encoding")
    assert plain.replace(route.name.encode(), route.model().encode()) == received.body


def test_a_packing_that_is_unknown_is_refused(take, http):
    """A Content-Encoding that the gateway cannot read is a 415, and nothing goes to the provider."""
    route = take("chat")
    headers = {"content-type": "application/json", "content-encoding": "compress"}
    answer = http.post("/v1/chat/completions", content=json.dumps(route.body()), headers=headers)
    assert 415 == answer.status_code
    assert [] == route.received()


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["chat", "messages"])
def test_a_packed_answer_is_unpacked(take, http, encoding, stream, kind):
    """A provider that packs its answers though it was asked not to is read all the same."""
    route = take(kind)
    route.behave(encoding=encoding, answer="It left on Monday.")
    path = "/v1/chat/completions" if kind == "chat" else "/v1/messages"
    answer = http.post(path, json=route.body(stream=stream))
    assert "content-encoding" not in answer.headers
    assert ("Monday" in answer.text, 200) == (True, answer.status_code)
    assert 4 == route.ending()["output_tokens"]


def test_a_body_may_be_large(take, world, capsys):
    """A 20 MB image passes unchanged while the gateway goes on serving; the longest wait is printed."""
    route = take("chat")
    picture = base64.b64encode(bytes(range(256)) * 59_000).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    sent = json.dumps(route.body(messages=[{"role": "user", "content": [image]}])).encode()
    waits: list[float] = []
    over = threading.Event()
    beside = threading.Thread(target=ask_again_and_again, args=(world.gateway.admin_url, waits, over))
    beside.start()
    try:
        answer = world.ask(request("/v1/chat/completions", sent))
    finally:
        over.set()
        beside.join()
    assert 200 == answer.status
    assert sent.replace(route.name.encode(), route.model().encode(), 1) == route.only().body
    with capsys.disabled():
        print(  # noqa: T201 - a figure to look at, which depends on the machine
            f"\n{len(sent) / 1e6:.0f} MB body: {len(waits)} requests beside it waited"
            f" {statistics.median(waits) * 1e3:.1f} ms in the median, {max(waits) * 1e3:.0f} ms at most"
        )


def ask_again_and_again(url: str, waits: list[float], over: threading.Event) -> None:
    """Ask for the gateway's health until told to stop, noting the seconds that each answer took."""
    with httpx2.Client(base_url=url, timeout=30) as client:
        while not over.is_set():
            began = time.monotonic()
            client.get("/healthz")
            waits.append(time.monotonic() - began)


def test_a_prompt_comes_first_and_its_variables_go(take, http):
    """The release's prompt and parameters win, the client's own turns follow, and `prompt` does not leave."""
    route = take("prompted")
    body = route.body(temperature=1.0, prompt={"variables": {"product": "kettles"}})
    assert 200 == http.post("/v1/chat/completions", json=body).status_code
    sent = route.only().json()
    assert [{"role": "system", "content": RENDERED}, *HELLO] == sent["messages"]
    assert (0.2, False) == (sent["temperature"], "prompt" in sent)


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, RENDERED),
        ("Be kind.", f"{RENDERED}\n\nBe kind."),
        (
            [{"type": "text", "text": "Be kind."}],
            [{"type": "text", "text": RENDERED}, {"type": "text", "text": "Be kind."}],
        ),
    ],
)
def test_a_prompt_is_anthropics_system(take, http, system, expected):
    """On Anthropic's wire the prompt is the top-level system, in front of the client's own, for counting too."""
    route = take("messages-prompted")
    body = route.body(prompt={"variables": {"product": "kettles"}}, **({} if system is None else {"system": system}))
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert 200 == http.post(path, json=body).status_code
    assert [expected] * 2 == [one.json()["system"] for one in route.received()]
    assert [True, False] == ["temperature" in one.json() for one in route.received()]


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ({}, "product"),
        ({"prompt": {"variables": {"product": "kettles", "colour": "red"}}}, "colour"),
        ({"prompt": {"variables": {"product": 7}}}, "product"),
        ({"prompt": {"variables": [1]}}, "prompt.variables"),
    ],
)
def test_wrong_variables_are_named(take, http, prompt, named):
    """A variable that is missing, undeclared or of another kind is a 400 that names it, and nothing is sent."""
    route = take("prompted")
    answer = http.post("/v1/chat/completions", json=route.body(**prompt))
    assert 400 == answer.status_code
    assert named in answer.json()["error"]["message"]
    assert [] == route.received()


def test_a_prompt_that_is_text_passes(take, http):
    """The prompt of the completions endpoint is the client's own text."""
    route = take("chat")
    assert 200 == http.post("/v1/completions", json={"model": route.name, "prompt": "Once"}).status_code
    assert "Once" == route.only().json()["prompt"]
