"""What the upstreams answer."""

import json

from loadtests.bench.answers import EVENTS, completion, events, is_whole, is_whole_stream


def test_the_completion_is_what_nginx_can_return():
    """About 0.7 KB, on one line, with nothing that its configuration would read as its own."""
    told = completion()
    assert 600 < len(told) < 800
    assert not set("'$\n") & set(told)
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} == set(json.loads(told)["usage"])


def test_an_answer_is_known_by_its_text():
    """A gateway may change what is around it, not the text."""
    answer = json.loads(completion())
    assert is_whole(json.dumps({**answer, "id": "another"}).encode())
    answer["choices"][0]["message"]["content"] = "else"
    assert not is_whole(json.dumps(answer).encode())
    assert not is_whole(b'{"error": {}}')
    assert not is_whole(b"<html>")


def test_a_stream_is_66_events_of_about_250_bytes():
    """The last but one has the usage, the last is the end."""
    told = events()
    assert EVENTS == len(told) == 66
    assert 230 < sum(len(event) for event in told) / len(told) < 270
    assert json.loads(told[-2].removeprefix(b"data: "))["usage"]["total_tokens"]
    assert b"data: [DONE]\n\n" == told[-1]


def test_a_stream_is_whole_with_every_piece_and_its_end():
    """One piece or the end less is not."""
    told = events()
    assert is_whole_stream(b"".join(told))
    assert not is_whole_stream(b"".join(told[1:]))
    assert not is_whole_stream(b"".join(told[:-1]))
