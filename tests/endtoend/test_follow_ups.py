"""Responses that go on from another: they return to the release that made it, after a restart too."""

import httpx2
import openai
import pytest

from tests.endtoend.harness import CANDIDATE, FORCING_KEY, KEY, OTHER, STABLE
from tests.gateway_process import PROVIDERS, running_gateway

RESTARTED = {
    "providers.yaml": PROVIDERS,
    "answers.yaml": """
kind: route
name: answers
releases:
  "1.0.0": {model: openai/gpt-5.1-2025-11-13}
  "1.1.0": {model: openai/gpt-5.2-2025-12-11}
serve: "1.0.0"
rules:
  - {when: {header: {x-beta: "1"}}, release: "1.1.0"}
""",
}


def responded(client, route, key=KEY, **fields):
    """Ask the Responses endpoint; gives the response's id and the release that answered."""
    headers = {"authorization": f"Bearer {key}", **fields.pop("headers", {})}
    answer = client.post("/v1/responses", json={"model": route.name, "input": "Hello?", **fields}, headers=headers)
    assert 200 == answer.status_code, answer.text
    return answer, answer.headers["x-pinion-release"].rpartition("/")[2]


@pytest.mark.parametrize("stream", [False, True])
def test_a_follow_up_returns_to_its_release(take, http, stream):
    """A response is followed up by the release that made it, whatever the split says."""
    route = take("backed")
    forced = {"x-pinion-release": OTHER}
    answer, release = responded(http, route, FORCING_KEY, stream=stream, headers=forced)
    assert OTHER == release
    made = answer.text.partition('"id":"')[2].partition('"')[0]
    assert OTHER == responded(http, route, FORCING_KEY, previous_response_id=made)[1]
    assert STABLE == responded(http, route, FORCING_KEY, previous_response_id="resp_unknown")[1]
    assert STABLE == responded(http, route)[1]
    assert made == route.received(OTHER)[1].json()["previous_response_id"]


def test_another_application_does_not_go_on_with_it(take, http):
    """The official SDK raises what it raises for a response that there is none of; the provider is not asked."""
    route = take("backed")
    made = responded(http, route, FORCING_KEY)[0].json()["id"]
    asked = len(route.received(STABLE))
    with openai.OpenAI(base_url=f"{http.base_url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=route.name, input="Hello?", previous_response_id=made)
        assert client.responses.create(model=route.name, input="Hello?", previous_response_id="resp_unknown").id
    assert "previous_response_not_found" == refused.value.code
    assert asked + 1 == len(route.received(STABLE))


def test_a_follow_up_returns_after_a_restart(tmp_path):
    """Who made a response is in the ledger, so a gateway that starts anew still knows."""
    made = "resp_unknown"
    for expected in (STABLE, CANDIDATE):
        with running_gateway(tmp_path, RESTARTED) as gateway, httpx2.Client(base_url=gateway.url) as client:
            body = {"model": "answers", "input": "Hello?"}
            answer = client.post("/v1/responses", json={**body, "previous_response_id": made})
            assert f"answers/{expected}" == answer.headers["x-pinion-release"]
            made = client.post("/v1/responses", json=body, headers={"x-beta": "1"}).json()["id"]
