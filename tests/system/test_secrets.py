"""What must be nowhere: keys, prompts and answers, in any sink of a gateway that met every kind of trouble."""

import hashlib
import json

import httpx2
import pytest

from tests.gateway_process import SIMULATOR, running_gateway, wait_until
from tests.system.chatting import STEADY_MODEL, desk, said

PROVIDER_KEY = "sk-canary-provider-5f21c8"
APP_KEY = "pk-canary-app-9b04de"
TOKEN = "canary-operator-token-77aa"
PROMPT = "canary-prompt-ask-about-my-illness"
ANSWER = "canary-answer-you-should-see-a-doctor"
SYSTEM = "canary-system-be-kind"
UNIT = "canary-unit-jane@example.test"
CANARIES = (PROVIDER_KEY, APP_KEY, TOKEN, PROMPT, ANSWER, SYSTEM, UNIT)

POLICIES = {
    "provider.yaml": "kind: provider\nname: openai\ndialect: openai\nretries: 0\n"
    f"base_url: {SIMULATOR}/v1\ncredential: {{env: OPENAI_API_KEY}}\n",
    "app.yaml": "kind: app\nname: helpdesk\nroutes: [desk]\n"
    f"keys: [{{sha256: {hashlib.sha256(APP_KEY.encode()).hexdigest()}}}]\n",
    "desk.yaml": desk().replace(f"openai/{STEADY_MODEL}}}", f"openai/{STEADY_MODEL}, prompt: kind@1.0.0}}"),
    "kind.prompt": f"---\nkind: prompt\nname: kind\nversion: 1.0.0\n---\n{SYSTEM}\n",
}

# Faults of the provider, each met by a whole request and by a stream.
TROUBLE = [
    {},
    {"error_rate": 1.0, "error_status": 401, "error_body": f'{{"error": {{"message": "bad key {PROVIDER_KEY}"}}}}'},
    {"error_rate": 1.0, "error_status": 500, "error_body": '{"error": {"message": "broken"}}'},
    {"error_rate": 1.0, "error_status": 429, "retry_after": "1"},
    {"malformed": "truncated_json"},
    {"cut_at": 200},
    {"served_model": "another-model"},
    {"stream_error": {"after": 0, "message": f"you asked {PROMPT}"}},
    {"stream_error": {"after": 3, "message": f"you asked {PROMPT}"}},
]


def exchanged(gateway) -> list[str]:
    """Make every kind of trouble; give the answers that are errors."""
    errors = []
    keyed = {"authorization": f"Bearer {APP_KEY}", "x-pinion-unit": UNIT}
    with httpx2.Client(base_url=gateway.url, timeout=20, headers=keyed) as client:

        def ask(content=None, **headers):
            try:
                answer = client.post("/v1/chat/completions", content=content, headers=headers)
            except httpx2.RemoteProtocolError:
                return  # cut in mid-answer, as it should be
            if answer.status_code >= 400:
                errors.append(f"{answer.headers} {answer.text}")

        for faults in TROUBLE:
            gateway.simulator.behave(answer=ANSWER, **faults)
            for stream in (False, True):
                ask(json.dumps(said("desk", PROMPT, stream=stream)).encode())
            gateway.simulator.behave(**dict.fromkeys(faults))
        ask(json.dumps(said("none", PROMPT)).encode())
        ask(json.dumps(said("desk", PROMPT)).encode()[:-5])
        ask(f'{{"model": "desk", "user": "{PROMPT}", "user": "{PROMPT}"}}'.encode())
        ask(json.dumps(said("desk", PROMPT, prompt={"variables": {"undeclared": PROMPT}})).encode())
        ask(b"{}", authorization=f"Bearer x{APP_KEY}")
        ask(PROMPT.encode(), **{"content-encoding": "gzip"})
        ask(PROMPT.encode(), **{"content-encoding": "packed"})
    return errors


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    """A gateway that has met it all and has stopped, with every sink by name."""
    folder = tmp_path_factory.mktemp("secrets")
    env = {"OPENAI_API_KEY": PROVIDER_KEY, "PINION_ADMIN_TOKEN": TOKEN}
    with running_gateway(folder, POLICIES, env=env) as gateway:
        gateway.token = TOKEN
        gateway.write(desk=desk("1.1.0", "rollout: {steps: [{percent: 100}]}").replace(
            f"openai/{STEADY_MODEL}}}", f"openai/{STEADY_MODEL}, prompt: kind@1.0.0}}"))  # fmt: skip
        wait_until(lambda: gateway.route("desk")["rollout"])
        errors = exchanged(gateway)
        bearer = {"authorization": f"Bearer {TOKEN}"}
        sinks = {
            "errors": "\n".join(errors),
            "metrics": gateway.metrics(),
            "status": json.dumps(gateway.status()),
            "rollout": json.dumps(gateway.ask("GET", "explain", params={"rollout": "desk"})),
            "refused operator": httpx2.get(f"{gateway.admin_url}/admin/v1/status").text,
            "unknown request": httpx2.get(
                f"{gateway.admin_url}/admin/v1/explain", params={"request": "x"}, headers=bearer
            ).text,
        }
        gateway.stop()
        gateway.sinks = {
            **sinks,
            "stdout": "".join(gateway.said),
            "stderr": "".join(gateway.log),
            **{path.name: path.read_bytes().decode("latin-1") for path in folder.glob("*.db*")},
        }
        yield gateway


def test_no_sink_holds_a_canary(met):
    """Standard output and error, both databases, metrics, status, explanations, and every error answer."""
    assert {"pinion.db", "pinion-ledger.db", "stderr", "metrics"} <= set(met.sinks)
    assert len(met.sinks["errors"]) > 1000
    found = [(name, canary) for name, text in met.sinks.items() for canary in CANARIES if canary in text]
    found.remove(("pinion.db", SYSTEM))  # the registry keeps the prompt versions themselves, which files declare
    assert not found, found


def test_every_line_of_the_log_is_one_json_object(met):
    """Each with a time, a level and a name."""
    for line in met.log:
        event = json.loads(line)
        assert {"timestamp", "level", "event"} <= set(event)


def test_every_request_leaves_a_line_that_says_who_served_it(met):
    """Its id, route and release, and a digest instead of its input; a refused one has its id and its status."""
    requests = met.events("request")
    assert 2 * len(TROUBLE) <= len(requests)
    for event in requests:
        assert event["request_id"].startswith("req_")
        assert ("desk", "helpdesk", 64) == (event["route"], event["app"], len(event["input_digest"]))
        assert event["release"] in ("1.0.0", "1.1.0")
    assert {"1.0.0", "1.1.0"} == {event["release"] for event in requests}
    assert {401, 404, 400, 415} <= {event["status"] for event in met.events("refused")}
