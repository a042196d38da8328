"""The OpenAPI document against the operations API that it describes."""

import re

import httpx2
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from gateway import __version__
from gateway.api.openapi import document
from tests.api.office import office, staffed, token_of
from tests.gateway_process import PROVIDERS, running_gateway, wait_until

ROUTES = """
kind: route
name: support
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "1.1.0": {model: openai/gpt-4o-2024-11-20}
serve: "1.1.0"
rollout: {steps: [{percent: 1}, {percent: 50}], from: "1.0.0", guardrails: [{metric: error_rate, max: 0.02}]}
shadow: {release: "1.1.0", percent: 10}
---
kind: route
name: drafts
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "2.0.0": {model: openai/gpt-4o-2024-11-20}
serve: "1.0.0"
experiment:
  name: length
  arms: {control: {release: "1.0.0", percent: 50}, treatment: {release: "2.0.0", percent: 25}}
"""

CHAT = {"model": "support", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway with a rollout, a shadow and an experiment, one of whose requests is in its ledger."""
    folder = tmp_path_factory.mktemp("openapi")
    with running_gateway(folder, {"providers.yaml": PROVIDERS, "routes.yaml": ROUTES}) as found:
        yield found


@pytest.fixture(scope="module")
def client(gateway):
    """A client of its operations API."""
    with httpx2.Client(base_url=gateway.admin_url, timeout=60) as made:
        yield made


def fits(response, path, method="get"):
    """Assert that an answer is one that the document describes, and give its value."""
    described = document()["paths"][path][method]["responses"]
    assert str(response.status_code) in described, response.text
    answer = described[str(response.status_code)]
    if "$ref" in answer:
        answer = document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content_type = response.headers["content-type"].partition(";")[0]
    schema = {**answer["content"][content_type]["schema"], "components": document()["components"]}
    value = response.json() if content_type == "application/json" else response.text
    Draft202012Validator(schema).validate(value)
    return value


@pytest.mark.anyio
async def test_paths_and_methods_are_the_routers():
    """Every path that is served is described, with its methods, and nothing else is."""
    async with office() as found:
        served = {
            route.path: {method.lower() for method in route.methods - {"HEAD"}}
            for route in found.application.routes
            if isinstance(route, Route)
        }
    described = {path: set(methods) for path, methods in document()["paths"].items()}
    assert served == described


def test_the_document_is_whole():
    """It is OpenAPI 3.1 of this version; each reference leads somewhere, and each path parameter is described."""
    whole = document()
    assert ("3.1.0", __version__) == (whole["openapi"], whole["info"]["version"])
    for reference in set(re.findall(r"'#/([^']+)'", str(whole))):
        found = whole
        for part in reference.split("/"):
            found = found[part]
    for schema in whole["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    operations = [operation for methods in whole["paths"].values() for operation in methods.values()]
    assert len(operations) == len({operation["operationId"] for operation in operations})
    for path, methods in whole["paths"].items():
        for operation in methods.values():
            named = [
                one.get("name") or one["$ref"].rpartition("/")[2].lower() for one in operation.get("parameters", [])
            ]
            assert set(re.findall(r"{(\w+)}", path)) <= set(named)


def test_it_is_read_once():
    """Whoever asks gets the same object."""
    document.cache_clear()
    first = document()
    assert document() is first


def test_it_is_served(client):
    """The operations API serves the document as it is."""
    assert document() == fits(client.get("/admin/v1/openapi.json"), "/admin/v1/openapi.json")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/admin/v1/status"])
def test_what_is_read_fits(client, path):
    """Probes, metrics and the status answer as described."""
    fits(client.get(path), path)


def test_explanations_fit(client, gateway):
    """A unit, a request and a rollout are explained as described, each by its own schema, and refusals too."""
    path = "/admin/v1/explain"
    request_id = httpx2.post(f"{gateway.url}/v1/chat/completions", json=CHAT, timeout=60).headers["x-request-id"]
    wait_until(lambda: client.get(path, params={"request": request_id}).status_code == 200)
    for asked, schema in (
        ({"route": "drafts", "unit": "u"}, "UnitExplanation"),
        ({"request": request_id}, "RequestExplanation"),
        ({"rollout": "support"}, "RolloutExplanation"),
    ):
        value = fits(client.get(path, params=asked), path)
        own = {"$ref": f"#/components/schemas/{schema}", "components": document()["components"]}
        Draft202012Validator(own).validate(value)
    assert "error" in fits(client.get(path), path)
    assert "error" in fits(client.get(path, params={"request": "req_none"}), path)
    assert "error" in fits(client.get(path, headers={"host": "elsewhere.example"}, params={"rollout": "support"}), path)


def test_a_compliance_export_fits(client):
    """With a row for each clause."""
    assert fits(client.get("/admin/v1/compliance"), "/admin/v1/compliance")["rows"]


def test_experiments_fit(client):
    """A report and its lines answer as described, and refusals too."""
    path = "/admin/v1/experiments/{route}"
    report = fits(client.get("/admin/v1/experiments/drafts"), path)
    assert ("length", "no_primary") == (report["experiment"], report["verdict"]["code"])
    fits(client.get("/admin/v1/experiments/support"), path)
    fits(client.get("/admin/v1/experiments/drafts/exposures"), f"{path}/exposures")
    fits(client.get("/admin/v1/experiments/drafts/exposures?after=x"), f"{path}/exposures")


def test_figures_fit(client):
    """A release's figures answer as described, and refusals too."""
    path = "/admin/v1/releases/{route}/{version}/figures"
    assert "1.0.0" == fits(client.get("/admin/v1/releases/support/1.0.0/figures?window=1h"), path)["release"]
    fits(client.get("/admin/v1/releases/support/9/figures"), path)
    fits(client.get("/admin/v1/releases/support/1.0.0/figures?window=x"), path)


def test_acts_fit(client):
    """Verbs, a reload and their refusals answer as described."""
    path = "/admin/v1/rollouts/{route}/{verb}"
    fits(client.post("/admin/v1/rollouts/support/start", json={"reason": "try"}), path, "post")
    fits(client.get("/admin/v1/rollouts/support"), "/admin/v1/rollouts/{route}")
    refused = client.post("/admin/v1/rollouts/support/start", json={})
    assert 409 == refused.status_code
    fits(refused, path, "post")
    fits(client.post("/admin/v1/rollouts/support/pause", json={}), path, "post")
    fits(client.post("/admin/v1/rollouts/support/promote", json={"half": True}), path, "post")
    fits(client.post("/admin/v1/rollouts/support/promote", content=b"{}"), path, "post")
    fits(client.post("/admin/v1/reload", json={}), "/admin/v1/reload", "post")
    fits(client.get("/admin/v1/status"), "/admin/v1/status")
    fits(client.post("/admin/v1/rollouts/support/rollback", json={}), path, "post")
    fits(client.get("/admin/v1/rollouts/drafts"), "/admin/v1/rollouts/{route}")


@pytest.mark.anyio
async def test_access_fits():
    """Keys, tokens, operators and the review answer as described, and refusals too."""
    apps = "---\nkind: app\nname: helpdesk\nkeys: []\n"
    async with office(None, staffed() + apps) as desk:
        token = {"authorization": f"Bearer {token_of('the-admin')}"}
        issue, tokens = "/admin/v1/apps/{name}/keys", "/admin/v1/operators/{name}/tokens"
        new = fits(await desk.act(issue.replace("{name}", "helpdesk"), {"expires": "1d"}, **token), issue, "post")
        made = fits(await desk.act(tokens.replace("{name}", "the-viewer"), {}, **token), tokens, "post")
        rotate = "/admin/v1/apps/{name}/rotate"
        fits(await desk.act(rotate.replace("{name}", "helpdesk"), {}, **token), rotate, "post")
        for path in ("/admin/v1/keys", "/admin/v1/operators", "/admin/v1/access"):
            fits(await desk.get(path, **token), path)
            fits(await desk.get(path), path)
        for path, key in (("/admin/v1/keys/{key}/revoke", new), ("/admin/v1/tokens/{key}/revoke", made)):
            fits(await desk.act(path.replace("{key}", key["key"]), **token), path, "post")
            fits(await desk.act(path, **token), path, "post")
        fits(await desk.act(issue.replace("{name}", "nobody"), {}, **token), issue, "post")
        fits(await desk.act(issue, {"expires": "x"}, **token), issue, "post")
