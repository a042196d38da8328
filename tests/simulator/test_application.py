"""Each fault, as a client sees it."""

import gzip

import anthropic
import brotli
import httpx2
import openai
import orjson
import pytest
import zstandard

CHAT = "/v1/chat/completions"


def stream(http, chat, chunks=None):
    """The bytes of a stream; what came is in `chunks` even when it does not end well."""
    chunks = [] if chunks is None else chunks
    with http.stream("POST", CHAT, json={**chat, "stream": True}) as answer:
        chunks.extend(answer.iter_raw())
    return b"".join(chunks)


def test_errors_come_at_their_rate_and_again_the_same(http, sim, chat):
    """About the set share of requests fails; requests of another model are drawn apart."""
    sim.behave_model(chat["model"], error_rate=0.5)
    statuses = [http.post(CHAT, json=chat).status_code for _ in range(40)]
    assert {200, 500} == set(statuses)
    assert 8 < statuses.count(500) < 32
    assert 200 == http.post(CHAT, json={**chat, "model": "other"}).status_code


def test_an_error_can_be_written_out(http, sim, chat):
    """An error has the set status, body and headers."""
    sim.behave(
        error_rate=1,
        error_status=429,
        error_body="slow down",
        error_headers={"Content-Type": "text/plain", "retry-after-ms": 20},
        retry_after=1.5,
        ratelimit_headers={"x-ratelimit-remaining-requests": "0"},
    )
    answer = http.post(CHAT, json=chat)
    assert (429, "slow down", "text/plain") == (answer.status_code, answer.text, answer.headers["content-type"])
    names = ("retry-after-ms", "retry-after", "x-ratelimit-remaining-requests")
    assert ["20", "1.5", "0"] == [answer.headers[name] for name in names]


def test_a_proxy_in_between_answers_html(http, sim, chat):
    """`html_error` is a 502 with a page."""
    sim.behave(html_error=True)
    answer = http.post(CHAT, json=chat)
    assert (502, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])


def test_an_error_may_come_as_a_success(http, sim, chat):
    """`json_error_on_stream` answers a stream with 200 and an error in JSON, and nothing else."""
    sim.behave(json_error_on_stream=True)
    answer = http.post(CHAT, json={**chat, "stream": True})
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "error" in answer.json()
    assert "choices" in http.post(CHAT, json=chat).json()


def test_rate_limit_headers_are_on_good_answers_too(http, sim, chat):
    """`ratelimit_headers` are on every answer, `retry_after` only on errors."""
    sim.behave(ratelimit_headers={"x-ratelimit-limit-requests": 5}, retry_after=3)
    answer = http.post(CHAT, json=chat)
    assert "5" == answer.headers["x-ratelimit-limit-requests"]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_body_is_cut_at_a_byte(http, sim, chat, streamed, size):
    """`cut_at` closes the connection after so many bytes of the body, without its end."""
    sim.behave(cut_at=size)
    came = []
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        http.stream("POST", CHAT, json={**chat, "stream": streamed}) as answer,
    ):
        came.extend(answer.iter_raw())
    assert size == len(b"".join(came))
    (request,) = sim.settled()
    assert (True, 200, False) == (request.cut, request.status, request.aborted)


def test_a_stream_is_cut_after_an_event(http, sim, chat):
    """`cut_event` closes the connection after so many whole events."""
    sim.behave(cut_event=3)
    chunks = []
    with pytest.raises(httpx2.RemoteProtocolError):
        stream(http, chat, chunks)
    content = b"".join(chunks)
    assert (3, True) == (content.count(b"data: "), content.endswith(b"\n\n"))


def test_a_cut_beyond_the_end_does_nothing(http, sim, chat):
    """A cut that the body never reaches leaves it whole."""
    sim.behave(cut_at=10**6, cut_event=10**6)
    assert stream(http, chat).endswith(b"data: [DONE]\n\n")


def test_the_connection_closes_before_the_head(http, sim, chat):
    """`cut_head` closes the connection without a byte of an answer."""
    sim.behave(cut_head=True)
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        http.post(CHAT, json=chat)
    assert (True, None) == (sim.settled()[0].cut, sim.settled()[0].status)


def test_only_used_connections_close(http, sim, chat):
    """`cut_reused` closes a connection that has answered before, and answers on a new one."""
    sim.behave(cut_reused=True)
    assert 200 == http.post(CHAT, json=chat).status_code
    with pytest.raises(httpx2.RemoteProtocolError):
        http.post(CHAT, json=chat)
    assert 200 == http.post(CHAT, json=chat).status_code
    assert [1, 1, 2] == [one.connection for one in sim.settled()]


def test_it_never_answers(http, sim, chat):
    """Hanging at the head, no byte comes until the client leaves."""
    sim.behave(hang="head")
    with pytest.raises(httpx2.ReadTimeout):
        http.post(CHAT, json=chat, timeout=0.05)
    assert (True, None) == (sim.settled()[0].aborted, sim.settled()[0].status)


@pytest.mark.parametrize("place", ["head", "first", "middle"])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_hanging_answer_goes_on_when_it_may(sim, http, chat, place, streamed):
    """An answer that hangs goes on, whole, once faults are set that do not hang there."""
    sim.behave(hang=place)
    came = []
    body = {**chat, "stream": streamed}
    if place == "head":
        with pytest.raises(httpx2.ReadTimeout):
            http.post(CHAT, json=body, timeout=0.05)
        sim.settled()
        sim.behave(hang=None)
        came.append(http.post(CHAT, json=body).content)
    else:
        with http.stream("POST", CHAT, json=body) as answer:
            (request,) = sim.wait(lambda requests: len(requests) == 1)
            assert request.finished is None
            pieces = answer.iter_raw()
            if place == "middle":
                came.append(next(pieces))
            sim.behave(length=3)
            assert sim.requests()[0].finished is None
            sim.behave(hang=None)
            came.extend(pieces)
    content = b"".join(came)
    assert content.endswith(b"data: [DONE]\n\n" if streamed else b"}")
    assert not sim.settled()[-1].aborted


def test_times_are_kept(http, sim, chat):
    """Latency, the first token and the rate of the others take at least the time that they are set to."""
    sim.behave(latency=0.02, first_token=0.02, rate=200, length=5)
    stream(http, chat)
    http.post(CHAT, json=chat)
    assert all(one.seconds >= 0.058 for one in sim.settled())


@pytest.mark.parametrize("newline", ["lf", "crlf", "cr"])
def test_the_client_reads_a_stream_in_single_bytes(sim, openai_client, chat, newline):
    """A stream in 1-byte chunks, with any line ends, is the same answer, letters of many bytes included."""
    text = 'naïve 😀 line\u2028sep\x85 "quote"'
    sim.behave(split=1, newline=newline, answer=text)
    chunks = openai_client.chat.completions.create(**chat, stream=True)
    assert text == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@pytest.mark.parametrize("key", ["comments", "multiline", "no_space"])
def test_the_clients_read_unusual_events(sim, openai_client, anthropic_client, chat, key):
    """Both clients read events that are written in an unusual, but legal way."""
    sim.behave(**{key: True, "answer": "two words"})
    chunks = openai_client.chat.completions.create(**chat, stream=True)
    assert "two words" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    with anthropic_client.messages.stream(**chat, max_tokens=9) as answer:
        assert "two words" == "".join(answer.text_stream)


def test_the_last_blank_line_may_be_missing(http, sim, chat):
    """With `no_blank_end` the stream ends inside its last event."""
    sim.behave(no_blank_end=True)
    assert stream(http, chat).endswith(b"}\n\ndata: [DONE]\n")


@pytest.mark.parametrize(
    ("name", "decode"),
    [
        ("gzip", gzip.decompress),
        ("br", brotli.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
def test_answers_are_compressed(http, sim, chat, name, decode):
    """`encoding` compresses streams and whole answers, and says so."""
    sim.behave(encoding=name)
    with http.stream("POST", CHAT, json={**chat, "stream": True}) as answer:
        assert name == answer.headers["content-encoding"]
        assert decode(b"".join(answer.iter_raw())).endswith(b"data: [DONE]\n\n")
    with http.stream("POST", CHAT, json=chat) as answer:
        assert "choices" in orjson.loads(decode(b"".join(answer.iter_raw())))


@pytest.mark.parametrize("malformed", ["json", "truncated_json"])
def test_a_body_may_be_no_json(http, sim, chat, malformed):
    """A malformed answer has its length, but is not JSON."""
    sim.behave(malformed=malformed)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        http.post(CHAT, json=chat).json()


def test_a_malformed_event_breaks_the_clients_reading(sim, openai_client, chat):
    """An event that is not JSON raises in the client."""
    sim.behave(malformed="json")
    with pytest.raises(ValueError, match="Expecting value"):
        list(openai_client.chat.completions.create(**chat, stream=True))


def test_a_stream_may_end_without_saying_so(sim, anthropic_client, chat):
    """With `omit_done` the stream ends cleanly, which the client takes for success."""
    sim.behave(omit_done=True)
    events = list(anthropic_client.messages.create(**chat, max_tokens=99, stream=True))
    assert "message_delta" == events[-1].type


def test_a_cut_stream_raises_in_both_clients(sim, openai_client, anthropic_client, chat):
    """A cut inside a stream is a connection error for the OpenAI client, a protocol error for Anthropic's."""
    sim.behave(cut_event=4)
    with pytest.raises(openai.APIConnectionError):
        list(openai_client.chat.completions.create(**chat, stream=True))
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        list(anthropic_client.messages.create(**chat, max_tokens=9, stream=True))


def test_fields_can_be_added(http, sim, chat):
    """`extra_fields` are in whole answers and in each chunk; `first_event` comes before the others."""
    sim.behave(extra_fields={"x_own": 1}, first_event={"choices": [], "prompt_filter_results": []})
    assert 1 == http.post(CHAT, json=chat).json()["x_own"]
    content = stream(http, chat)
    assert content.startswith(b'data: {"choices":[],"prompt_filter_results":[]}\n\n')
    assert content.count(b'"x_own":1') == content.count(b"chat.completion.chunk")


def test_a_compressed_request_is_read(http, chat):
    """A compressed request is understood, and its answer is that of the plain one."""
    plain = orjson.dumps(chat)
    answers = [
        http.post(CHAT, content=content, headers=headers).json()["choices"]
        for content, headers in ((plain, {}), (gzip.compress(plain), {"content-encoding": "gzip"}))
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "message"),
    [
        ("POST", CHAT, b"{", 400, "the body is not valid JSON"),
        ("POST", CHAT, b"[]", 400, "the body must be a JSON object"),
        ("POST", CHAT, b"", 400, "model is missing"),
        ("POST", CHAT, b'{"model": 3}', 400, "model is missing"),
        ("GET", CHAT, b"", 405, "takes POST, not GET"),
        ("POST", "/v1/models", b"{}", 405, "takes GET, not POST"),
        ("POST", "/v1/nothing", b"{}", 404, "/v1/nothing is unknown; there are /v1/chat/completions"),
    ],
)
def test_a_wrong_request_is_refused(http, method, path, content, status, message):
    """A request that cannot be answered is refused with what is wrong with it."""
    answer = http.request(method, path, content=content)
    assert status == answer.status_code
    assert message in answer.json()["error"]["message"]


def test_an_unknown_path_is_refused_in_the_callers_dialect(http):
    """With an `anthropic-version` header the refusal has that dialect's shape."""
    answer = http.post("/v1/nothing", json={}, headers={"anthropic-version": "2026-10-21"})
    assert (404, "not_found_error") == (answer.status_code, answer.json()["error"]["type"])


def test_a_query_does_not_change_the_path(http, chat):
    """A path with a query is the same endpoint."""
    assert 200 == http.post("/v1/messages?beta=true", json={**chat, "max_tokens": 3}).status_code
