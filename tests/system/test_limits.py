"""The limits of applications with a real gateway, the official SDKs, restarts and reloads."""

import hashlib

import anthropic
import httpx2
import openai
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.simulator.server import running
from tests.gateway_process import PROVIDERS, STEADY, TLS, running_gateway, wait_until

MESSAGES = [{"role": "user", "content": "Where is my parcel?"}]


def app(name: str, limits: str, key: str | None = None) -> str:
    """The document of an application with a key of its name."""
    digest = hashlib.sha256((key or f"key-of-{name}").encode()).hexdigest()
    return f'---\nkind: app\nname: {name}\nkeys: [{{sha256: "{digest}"}}]\nlimits: {limits}\n'


# Windows so long that hardly a test runs across the end of one.
APPS = (
    app("requests", "[{requests: 2, per: 30d}]")
    + app("seconds", "[{requests: 1, per: 2s}]")
    + app("tokens", "[{tokens: 10, per: 30d}]")
    + app("dollars", "[{usd: 0.0001, per: 30d}]")
    + app("free", "[]")
)
FILES = {"providers.yaml": PROVIDERS, "routes.yaml": STEADY, "apps.yaml": APPS}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway whose applications have one limit each; a test has an application of its own."""
    with running_gateway(tmp_path_factory.mktemp("limits"), FILES) as found:
        yield found


def ask(gateway, name: str) -> httpx2.Response:
    """One request of an application."""
    headers = {"authorization": f"Bearer key-of-{name}"}
    body = {"model": "support", "messages": MESSAGES}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=60, verify=TLS)


def used(gateway, name: str) -> list[float]:
    """What of an application's limits is used, by the operations API."""
    told = gateway.ask("GET", "apps/limits", params={"app": name})
    return [limit["used"] for each in told["apps"] for limit in each["limits"]]


def test_both_sdks_raise_their_rate_limit_error(gateway):
    """Two requests pass; then each SDK's own error says when to come back and that waiting for it is of no use."""
    options = {"api_key": "key-of-requests", "max_retries": 2, "timeout": 60}
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", **options) as chat,
        anthropic.Anthropic(base_url=gateway.url, **options) as messages,
    ):
        assert chat.chat.completions.create(model="support", messages=MESSAGES).choices
        assert messages.messages.create(model="drafts", messages=MESSAGES, max_tokens=50).content
        with pytest.raises(openai.RateLimitError) as refused:
            chat.chat.completions.create(model="support", messages=MESSAGES, stream=True)
        with pytest.raises(anthropic.RateLimitError) as refused_too:
            messages.messages.create(model="drafts", messages=MESSAGES, max_tokens=50)
    headers, more = refused.value.response.headers, refused_too.value.response.headers
    assert ("rate_limit_exceeded", "2", "0") == (
        refused.value.code,
        headers["x-ratelimit-limit-requests"],
        headers["x-ratelimit-remaining-requests"],
    )
    assert ("2", "0") == tuple(more[f"anthropic-ratelimit-requests-{each}"] for each in ("limit", "remaining"))
    assert {True} == {0 < int(each["retry-after"]) <= 60 * 86_400 for each in (headers, more)}
    assert [2] == used(gateway, "requests")


def test_an_sdk_waits_and_gets_through(gateway):
    """A short wait is one that SDKs keep by themselves."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="key-of-seconds", max_retries=5, timeout=60) as chat:
        for _ in range(3):
            assert chat.chat.completions.create(model="support", messages=MESSAGES).choices


@pytest.mark.parametrize("name", ["tokens", "dollars"])
def test_what_answers_used_is_counted(gateway, name):
    """The first is let through whatever it uses; what it used is known soon, and then nothing is."""
    assert 200 == ask(gateway, name).status_code
    wait_until(lambda: used(gateway, name)[0] > 0)
    refused = ask(gateway, name)
    assert (429, True) == (refused.status_code, int(refused.headers["retry-after"]) > 0)
    assert ("x-ratelimit-limit-tokens" in refused.headers) is (name == "tokens")
    kind = "usd" if name == "dollars" else "tokens"
    assert f'pinion_app_limited_total{{app="{name}",limit="{kind}"}} 1.0' in gateway.metrics()
    (ratio,) = [
        float(line.split()[-1])
        for line in gateway.metrics().splitlines()
        if line.startswith(f'pinion_app_limit_used_ratio{{app="{name}",limit="{kind}",per="30d"}}')
    ]
    assert ratio >= 1


def test_others_are_not_limited(gateway):
    """An application without limits passes, and has none to be told."""
    assert {200} == {ask(gateway, "free").status_code for _ in range(5)}
    assert [] == used(gateway, "free")


def test_the_command_line_tells_limits(gateway):
    """As a table, as JSON, and that there are none; an application that is not there is a no."""

    def pinion(*arguments):
        return CliRunner().invoke(main, ["app", "limits", *arguments], env={"PINION_ADMIN_URL": gateway.admin_url})

    assert "$0.00 per 30d" in pinion().stdout
    assert '"replicas": 1' in pinion("tokens", "--json").stdout
    assert "free has no limit\n" == pinion("free").stdout
    assert (1, True) == (pinion("none").exit_code, "no application 'none'" in pinion("none").stderr)


def test_a_restart_and_a_reload_forget_nothing(tmp_path):
    """The ledger tells a new process what was used; a limit that grows goes on with what is counted."""
    limited = {**FILES, "apps.yaml": app("desk", "[{requests: 3, per: 30d}, {usd: 5, per: 30d}]")}
    with running() as simulator:
        with running_gateway(tmp_path, limited, simulator=simulator) as gateway:
            assert [200, 200] == [ask(gateway, "desk").status_code for _ in range(2)]
            wait_until(lambda: used(gateway, "desk")[1] > 0)
            before = used(gateway, "desk")
        with running_gateway(tmp_path, limited, simulator=simulator) as gateway:
            assert before == used(gateway, "desk")
            assert [200, 429] == [ask(gateway, "desk").status_code for _ in range(2)]
            gateway.write(apps=app("desk", "[{requests: 4, per: 30d}, {usd: 5, per: 30d}]"))
            gateway.ask("POST", "reload", json={})
            assert [200, 429] == [ask(gateway, "desk").status_code for _ in range(2)]
