"""How commands talk to a gateway, and what they say when they cannot."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.cli.gateway_client import WATCH_TIMEOUT, Away, GatewayClient, Misused, NotNow, Refused, token_of
from tests.gateway_process import running_gateway

TOKEN = "a-long-operator-token"


@contextmanager
def answering(status, body, content_type="application/json", length=None):
    """A server that gives one answer to everything; yields its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers))
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def refusal(message, **more):
    """A refusal in the shape of the operations API."""
    return json.dumps({"error": {"message": message, **more}}).encode()


@pytest.mark.parametrize("status", [404, 409, 503])
def test_a_no_is_exit_code_1(status):
    """What the gateway does not have, or will not do now, is an answer: its message, and exit code 1."""
    with answering(status, refusal("not so")) as (url, _), pytest.raises(Refused, match=r"^not so$") as refused:
        GatewayClient(url, None).status()
    assert 1 == refused.value.exit_code


def test_a_store_that_is_away_may_come_back():
    """So that who watches asks again; other refusals stay."""
    with answering(503, refusal("the disk is away")) as (url, _), pytest.raises(NotNow, match="the disk is away"):
        GatewayClient(url, None).rollout("support", WATCH_TIMEOUT)
    with answering(409, refusal("not so")) as (url, _), pytest.raises(Refused) as refused:
        GatewayClient(url, None).rollout("support")
    assert not isinstance(refused.value, NotNow)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_behind_another_may_come_back(status):
    """What stands before it says that it is away; nothing at the address says the same."""
    with answering(status, b"<html>") as (url, _), pytest.raises(Away, match="does not answer as the operations API"):
        GatewayClient(url, None).status()
    with pytest.raises(Away, match="no gateway answers"):
        GatewayClient("http://127.0.0.1:1", None).status()
    with answering(404, b"<html>") as (url, _), pytest.raises(Misused) as misused:
        GatewayClient(url, None).status()
    assert not isinstance(misused.value, Away)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            401,
            refusal("this needs the token"),
            "this needs the token; set PINION_TOKEN to yours, or PINION_ADMIN_TOKEN",
        ),
        (403, refusal("loopback alone"), "loopback alone"),
        (404, refusal("no endpoint", type="not_found_error"), "does not answer as the operations API"),
        (200, b"<html>", "does not answer as the operations API of a gateway (status 200); check --admin-url"),
        (200, b"[]", "does not answer as the operations API"),
        (500, b"Internal Server Error", "(status 500)"),
    ],
)
def test_what_does_not_let_us_ask_is_exit_code_2(status, body, said):
    """No right to ask, or a server that is no gateway, is said in one line, with exit code 2."""
    with answering(status, body) as (url, _), pytest.raises(Misused) as misused:
        GatewayClient(url, None).status()
    assert said in misused.value.message
    assert 2 == misused.value.exit_code


def test_no_gateway_is_one_line(alone):
    """With nothing at the address, one line says so and what to do, with exit code 2."""
    result = alone("status", "--admin-url", "http://127.0.0.1:1")
    assert 2 == result.exit_code
    assert result.stderr.startswith("pinion: no gateway answers at http://127.0.0.1:1; start one with `pinion serve`")
    assert ("", 1) == (result.stdout, result.stderr.count("\n"))


def test_a_broken_answer_is_one_line():
    """A server that breaks off is said to have not answered."""
    with answering(99, b"") as (url, _), pytest.raises(Misused, match="did not answer: "):
        GatewayClient(url, None).status()


def test_a_wrong_url_is_misuse(alone):
    """An address that is no URL is refused before anything is sent."""
    result = alone("status", PINION_ADMIN_URL="127.0.0.1:8081")
    assert 2 == result.exit_code
    assert "write one such as http://127.0.0.1:8081" in result.stderr
    assert 2 == alone("status", "--admin-url", "http://[::1").exit_code


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch):
    """A proxy for all hosts does not come between a command and the gateway on the same machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering(200, b"{}") as (url, asked):
        assert {} == GatewayClient(url + "/", None).status()
    assert ["/admin/v1/status"] == [path for path, _ in asked]


def test_names_are_quoted():
    """A route's name is one part of the path, whatever it holds."""
    with answering(200, b"{}") as (url, asked):
        GatewayClient(url, None).rollout("a/b?c")
    assert ["/admin/v1/rollouts/a%2Fb%3Fc"] == [path for path, _ in asked]


def test_a_message_stays_on_its_line(capsys):
    """What a server answers is escaped, so that it neither starts a line nor steers the terminal."""
    Refused("one\n\x1b[2Jtwo").show()
    assert "pinion: one\\n\\x1b[2Jtwo\n" == capsys.readouterr().err


def test_the_token_opens_a_gateway_that_wants_one(tmp_path, alone):
    """The operator token comes from the environment; without it the gateway says no, with exit code 2."""
    with running_gateway(tmp_path, env={"PINION_ADMIN_TOKEN": TOKEN}) as gateway:
        refused = alone("reload", PINION_ADMIN_URL=gateway.admin_url)
        assert 2 == refused.exit_code
        assert "set PINION_TOKEN to yours, or PINION_ADMIN_TOKEN" in refused.stderr
        assert 0 == alone("reload", PINION_ADMIN_URL=gateway.admin_url, PINION_ADMIN_TOKEN=TOKEN).exit_code
    assert TOKEN not in "".join(gateway.log)
    assert TOKEN not in repr(GatewayClient("http://127.0.0.1:1", TOKEN))


def test_lines_come_as_they_are_sent():
    """An answer of JSON lines is passed on; a refusal is a no, and another kind of answer is not a gateway's."""
    with answering(200, b"{}\n{}\n", "application/x-ndjson") as (url, asked):
        assert b"{}\n{}\n" == b"".join(GatewayClient(url, TOKEN).exposures("a/b", 1.5))
    path, headers = asked[0]
    assert "/admin/v1/experiments/a%2Fb/exposures?since=1.5" == path
    assert f"Bearer {TOKEN}" == headers["authorization"]
    with answering(404, refusal("no experiment")) as (url, _), pytest.raises(Refused, match="no experiment"):
        list(GatewayClient(url, None).exposures("a", None))
    for status, body in ((200, b"{}"), (200, b"<html>"), (500, b"")):
        with answering(status, body) as (url, _), pytest.raises(Misused, match="does not answer as the operations API"):
            list(GatewayClient(url, None).exposures("a", None))


def test_lines_that_break_off_are_not_taken_for_all():
    """A connection that ends before its answer does is said to have."""
    with answering(200, b"{}\n", "application/x-ndjson", length=10) as (url, _):
        pieces = GatewayClient(url, None).exposures("a", None)
        with pytest.raises(Misused, match="did not answer: "):
            list(pieces)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"PINION_TOKEN": "", "PINION_ADMIN_TOKEN": ""}, None),
        ({"PINION_ADMIN_TOKEN": "a"}, "a"),
        ({"PINION_TOKEN": "t", "PINION_ADMIN_TOKEN": "a"}, "t"),
    ],
)
def test_ones_own_token_comes_before_the_admin_token(environment, expected):
    """Either may be set, and an empty one is none."""
    assert expected == token_of(environment)
