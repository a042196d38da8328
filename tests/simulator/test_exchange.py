"""One simulated request, from the way it is asked to the way it is answered."""

import httpx2
import pytest

from gateway.simulator.server import running

BODY = {"model": "atlas", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def simulator():
    with running() as one:
        yield one


def ask(simulator, **members):
    return httpx2.post(f"{simulator.url}/v1/chat/completions", json={**BODY, **members}, trust_env=False)


def test_a_request_is_answered_in_the_form_it_asks_for(simulator):
    """`stream` true gives events, anything else one JSON document."""
    assert "text/event-stream" in ask(simulator, stream=True).headers["content-type"]
    assert "application/json" == ask(simulator, stream=False).headers["content-type"]
    assert "application/json" == ask(simulator, stream="yes").headers["content-type"]


@pytest.mark.parametrize(("kind", "starts"), [("json", b"this is not"), ("truncated_json", b'{"id"')])
def test_a_whole_answer_can_be_spoiled(simulator, kind, starts):
    """A malformed answer has status 200 and is not JSON."""
    simulator.behave_model("spoiled", malformed=kind)
    answer = ask(simulator, model="spoiled")

    assert 200 == answer.status_code
    assert answer.content.startswith(starts)
    with pytest.raises(ValueError, match=r".*"):
        answer.json()


def test_an_error_can_be_a_proxys_page(simulator):
    """`html_error` answers 502 with HTML, as a proxy in front of a provider does."""
    simulator.behave_model("hidden", html_error=True)
    answer = ask(simulator, model="hidden")

    assert (502, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
