"""No secret comes out: each is a canary in a real gateway that meets every trouble, and every sink is searched."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
from click.testing import CliRunner

from gateway.api.openapi import document
from gateway.cli import main
from gateway.core.api_key import digest_of, named_key
from tests.adapters.identity_keys import AUDIENCE, ISSUER, SET, token
from tests.gateway_process import CREDENTIALS, SIMULATOR, inherited, started, wait_until, write_policies
from tests.postgres_server import PostgresServer
from tests.system.canaries import canary, forms, found
from tests.system.chatting import desk, said
from tests.system.failing_gateway import MISTAKEN_TOKEN

FAILING = ("-m", "tests.system.failing_gateway", "serve")

SECRETS = {
    "provider credential": canary("provider"),
    "provider credential in a file": canary("provider-file"),
    "rotated provider credential": canary("rotated"),
    "application key": canary("application"),
    "operator token": named_key("operator", "0aB3dE6g", canary("operator", 32)[1:-1]),
    "admin token": canary("admin"),
    "wrong admin token": canary("wrong-admin"),
    "wrong key": canary("wrong-key"),
    "mistaken token": MISTAKEN_TOKEN + canary("mistaken"),
    "webhook path": canary("webhook-path"),
    "anchor path": canary("anchor-path"),
    "proxy password": canary("proxy").strip("/"),
    "literal credential": canary("literal"),
    "literal in place of a variable": canary("variable"),
    "literal in place of a digest": canary("digest"),
    "identity token": token(sub="nobody").rpartition(".")[2],
}
WEBHOOK_SECRETS = {
    "notification secret": "whsec_bm90aWZpY2F0aW9ucy1jYW5hcnktMDEyMzQ1Njc4OQ==",
    "anchor secret": "whsec_YW5jaG9ycy1jYW5hcnktMDEyMzQ1Njc4OTAxMjM0NQ==",
}

STAFF = f"""
kind: operator
name: ada
roles: [admin]
tokens: [{{sha256: {digest_of(SECRETS["operator token"])}}}]
subject: ada
---
kind: operator
name: bob
roles: [operator, author, evaluator]
subject: bob
---
kind: operator
name: sam
roles: [auditor]
subject: sam
---
kind: identity_provider
name: idp
issuer: {ISSUER}
audience: {AUDIENCE}
jwks_file: {{keys}}
algorithms: [ES256]
"""
APP = f"""
kind: app
name: helpdesk
routes: [desk, drafts]
keys: [{{sha256: {digest_of(SECRETS["application key"])}}}]
"""


def policies(folder):
    """The policies of these tests; key set and credential file are in the folder."""
    return {
        "openai.yaml": f"kind: provider\nname: openai\ndialect: openai\nretries: 0\nbase_url: {SIMULATOR}/v1\n"
        "credential: {env: OPENAI_API_KEY}\n",
        "anthropic.yaml": f"kind: provider\nname: anthropic\ndialect: anthropic\nretries: 0\nbase_url: {SIMULATOR}\n"
        f"credential: {{file: {folder / 'credential'}}}\n",
        "desk.yaml": desk("1.1.0", 'rollout: {from: "1.0.0", steps: [{percent: 50}]}'),
        "drafts.yaml": 'kind: route\nname: drafts\nreleases: {"1.0.0": {model: anthropic/claude-sonnet-4-5-20250929}}\n'
        'serve: "1.0.0"\n',
        "app.yaml": APP,
        "staff.yaml": STAFF.replace("{keys}", str(folder / "keys.json")),
    }


BAD_POLICIES = {
    "literal credential": f"kind: provider\nname: bad\ndialect: openai\ncredential: {SECRETS['literal credential']}\n",
    "literal header": "kind: provider\nname: bad\ndialect: openai\n"
    f"credential: {{value: {SECRETS['literal credential']}}}\n",
    "literal variable": "kind: provider\nname: bad\ndialect: openai\n"
    f"credential: {{env: {SECRETS['literal in place of a variable']}}}\n",
    "literal key": f"kind: app\nname: other\nkeys: [{SECRETS['literal in place of a digest']}]\n",
    "literal digest": f"kind: app\nname: other\nkeys: [{{sha256: {SECRETS['literal in place of a digest']}}}]\n",
    "literal token": "kind: operator\nname: eve\nroles: [viewer]\n"
    f"tokens: [{{sha256: {SECRETS['literal in place of a digest']}}}]\n",
    "password in an address": "kind: provider\nname: bad\ndialect: openai\n"
    f"base_url: https://user:{SECRETS['literal credential'].strip('/')}@up.test/v1\n",
    "password of a proxy": "kind: provider\nname: bad\ndialect: openai\ntransport: httpx\n"
    f"proxy: http://user:{SECRETS['proxy password']}@proxy.test:port\n",
    "no YAML": f"kind: provider\n  credential: {{env: {SECRETS['literal in place of a variable']}\n",
}


def troubles(credential):
    """What a provider does; where it fails, it tells the headers that it got."""
    echoed = json.dumps({"error": {"message": f"bad request with {{'authorization': 'Bearer {credential}'}}"}})
    plain = f"<html>x-api-key: {credential}</html>"
    heads = {"x-echo": f"Bearer {credential}"}
    statuses = (400, 401, 402, 403, 404, 407, 408, 409, 413, 422, 429, 500, 502, 503, 529)
    return [
        {},
        *({"error_rate": 1.0, "error_status": status, "error_body": echoed} for status in statuses),
        *({"error_rate": 1.0, "error_status": status, "error_body": plain} for status in (400, 500)),
        {"error_rate": 1.0, "error_status": 400, "error_headers": heads},
        {"error_rate": 1.0, "error_status": 500, "error_headers": heads},
        {"stream_error": {"after": 0, "message": f"told Bearer {credential}"}},
        {"stream_error": {"after": 3, "message": f"told Bearer {credential}"}},
        {"malformed": "truncated_json"},
        {"cut_at": 200},
        {"cut_head": True},
        {"json_error_on_stream": True, "error_rate": 1.0},
    ]


KEPT = ("credential", "keys.json", "audit.key")
"""Files that are there to keep secrets."""


PLACES = {"route": "desk", "version": "1.1.0", "kind": "model", "name": "helpdesk", "key": "x", "verb": "pause"}


class Sinks(dict):
    """What came out, by where."""

    def add(self, name, content):
        """Keep bytes or text under a name, beside what is there."""
        raw = content if isinstance(content, bytes) else content.encode()
        self[name] = self.get(name, b"") + b"\n" + raw

    def heard(self, name, answer):
        """Keep a whole answer."""
        self.add(name, f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer


def applications(found_gateway, sinks, in_file):
    """Ask every kind of thing as an application, with a key in every place where one may be.

    `in_file` is the credential that the file has, which the provider repeats.
    """
    key = SECRETS["application key"]
    with httpx2.Client(base_url=found_gateway.url, timeout=60) as client:

        def ask(path="/v1/chat/completions", content=b"{}", **headers):
            try:
                sinks.heard("answers", client.post(path, content=content, headers=headers))
            except httpx2.RemoteProtocolError:
                return  # cut in mid-answer, as it should be

        keyed = {"authorization": f"Bearer {key}", "cookie": f"key={key}"}
        for route, path, credential in (
            ("desk", "/v1/chat/completions", SECRETS["provider credential"]),
            ("drafts", "/v1/messages", in_file),
        ):
            for trouble in troubles(credential):
                found_gateway.simulator.behave(**trouble)
                for stream in (False, True):
                    body = json.dumps(said(route, stream=stream, max_tokens=9)).encode()
                    ask(path, body, **keyed)
                found_gateway.simulator.behave(**dict.fromkeys(trouble))
        ask(content=json.dumps(said("nowhere", user=key)).encode(), **keyed)
        ask(content=b'{"model": ', **keyed)
        ask(content=b"x" * 100, **{**keyed, "content-encoding": "gzip"})
        ask(content=json.dumps(said("desk", "fail-now")).encode(), **keyed)
        ask(content=json.dumps(said(key)).encode(), **keyed)
        ask(content=json.dumps(said("desk", user=key, metadata={"user_id": key})).encode(), **keyed)
        ask(content=json.dumps(said("desk")).encode(), **keyed, **{"x-pinion-release": key})
        ask(content=json.dumps(said("desk")).encode(), **keyed, **{"x-pinion-unit": key})
        client.post(f"/v1/{key}", headers=keyed)  # what it asked for is told to itself alone
        ask(f"/v1/chat/completions?key={key}", **keyed)
        for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
            ask(**{name: SECRETS["wrong key"]})
        ask(authorization=f"Bearer {SECRETS['wrong key']}")
        for path in ("/v1/models", "/v1/models/desk", "/v1/assignment?model=desk"):
            sinks.heard("answers", client.get(path, headers=keyed))
            sinks.heard("answers", client.get(path, headers={"authorization": f"Bearer {SECRETS['wrong key']}"}))
        sinks.heard("answers", client.post("/v1/feedback", headers=keyed, json={"request_id": key, "score": 1}))


def operators(found_gateway, sinks):
    """Ask every path of the operations API, as each operator and as nobody; give the keys that were issued."""
    url = found_gateway.admin_url
    tokens = [
        SECRETS["operator token"],
        SECRETS["admin token"],
        *(token(sub=name) for name in ("ada", "bob", "sam", "nobody")),
        token(sub="ada", exp=1_000),
        SECRETS["identity token"],
        SECRETS["wrong admin token"],
        SECRETS["mistaken token"],
    ]
    used = {f"identity token {number}": each.rpartition(".")[2] for number, each in enumerate(tokens[2:7])}
    issued = {}
    with httpx2.Client(base_url=url, timeout=60, headers={"connection": "close"}) as client:
        for bearer in tokens:  # a mistake ends its connection, so that each request has its own
            headers = {"authorization": f"Bearer {bearer}"}
            for path, methods in document()["paths"].items():
                filled = path.format(**PLACES)
                for method in methods:
                    told = client.request(method, filled, headers=headers, json={} if method == "post" else None)
                    if told.status_code == 200 and "secret" in (body := _object(told)):
                        issued[f"issued key {len(issued)}"] = body.pop("secret")
                        sinks.add("operations", json.dumps(body))
                    else:
                        sinks.heard("operations", told)
        assert issued
        for whole in list(issued.values()):
            for bearer in (token(sub="bob"), SECRETS["operator token"]):
                headers = {"authorization": f"Bearer {bearer}"}
                path = f"/admin/v1/keys/{whole}/revoke"
                sinks.heard("operations", client.post(f"{path}?token={bearer}", headers=headers, json={}))
    return {**used, **issued}


def _object(answer):
    try:
        value = answer.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def reloads(found_gateway, sinks):
    """Have every kind of bad set refused."""
    bearer = {"authorization": f"Bearer {SECRETS['admin token']}"}
    for name, text in BAD_POLICIES.items():
        write_policies(found_gateway.policies, {"bad.yaml": text})
        answer = httpx2.post(f"{found_gateway.admin_url}/admin/v1/reload", headers=bearer, json={}, timeout=60)
        sinks.heard("reloads", answer)
        checked = CliRunner().invoke(main, ["check", str(found_gateway.policies)], env=dict(CREDENTIALS))
        sinks.add("check", f"{checked.output}{checked.exception!r}")
        assert (422, 1) == (answer.status_code, checked.exit_code), name
    (found_gateway.policies / "bad.yaml").unlink()


def commands(found_gateway, sinks):
    """Ask as people do."""
    for bearer in (SECRETS["operator token"], token(sub="sam"), SECRETS["wrong admin token"]):
        for asked in (["status", "--json"], ["status"], ["audit", "export"], ["app", "keys", "--json"]):
            done = CliRunner().invoke(
                main, [*asked, "--admin-url", found_gateway.admin_url], env={"PINION_TOKEN": bearer}
            )
            sinks.add(" ".join(asked), f"{done.output}{done.exception!r}")


def stopped(found_gateway, folder, sinks, *, how=signal.SIGABRT):
    """Have it end, by a crash that tells where it was, and take what it wrote."""
    os.kill(found_gateway.process.pid, how)
    found_gateway.process.wait(60)
    for thread in found_gateway.threads:
        thread.join(60)
    sinks.add("stdout", "".join(found_gateway.said))
    sinks.add("stderr", "".join(found_gateway.log))
    for path in folder.rglob("*"):
        if path.is_file() and path.parent != found_gateway.policies and path.name not in KEPT:
            sinks.add(path.name, path.read_bytes())


def refused_start(folder, sinks, *args, **env):
    """A start that must fail; what it says is a sink."""
    free = ["--port", "0", "--admin-port", "0", "--policies", str(folder / "policies")]
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", *free, *args],
        env={**inherited(), **CREDENTIALS, **env},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert 2 == done.returncode, (args, done)
    sinks.add("refused starts", done.stdout + done.stderr)


def prepared(folder: Path, simulator):
    """Write what a gateway reads."""
    (folder / "policies").mkdir()
    (folder / "keys.json").write_text(json.dumps(SET))
    (folder / "credential").write_text(SECRETS["provider credential in a file"])
    write_policies(folder / "policies", policies(folder), simulator)


ENVIRONMENT = {
    "OPENAI_API_KEY": SECRETS["provider credential"],
    "PINION_ADMIN_TOKEN": SECRETS["admin token"],
    "PINION_NOTIFY_SECRET": WEBHOOK_SECRETS["notification secret"],
    "PINION_AUDIT_WEBHOOK_SECRET": WEBHOOK_SECRETS["anchor secret"],
}


def test_no_sink_holds_a_secret(tmp_path, simulator):
    """Answers, log, metrics, status, audit trail, databases, exports: none has one, in plain, base64 or escaped."""
    sinks = Sinks()
    prepared(tmp_path, simulator)
    key = tmp_path / "audit.key"
    assert 0 == CliRunner().invoke(main, ["audit", "key", str(key), "--name", "log.test"]).exit_code
    outgoing = ["--notify", f"https://hooks.invalid{SECRETS['webhook path']}", "--audit-key", str(key)]
    outgoing += ["--audit-anchor", f"https://anchors.invalid{SECRETS['anchor path']}"]
    found_gateway = started(
        tmp_path / "policies", f"sqlite:///{tmp_path / 'pinion.db'}", *outgoing, env=ENVIRONMENT, program=FAILING
    )
    found_gateway.simulator = simulator
    try:
        (tmp_path / "credential").write_text(SECRETS["rotated provider credential"])
        wait_until(lambda: len(found_gateway.events("reload_accepted")) > 1)
        applications(found_gateway, sinks, SECRETS["rotated provider credential"])
        reloads(found_gateway, sinks)
        more = operators(found_gateway, sinks)
        commands(found_gateway, sinks)
        sinks.add("metrics", found_gateway.metrics())
        wait_until(lambda: found_gateway.events("library_log"))
    finally:
        stopped(found_gateway, tmp_path, sinks)
    assert {"pinion.db", "pinion-ledger.db", "stderr", "stdout", "audit export"} <= set(sinks)
    assert b"mistake" not in sinks["stderr"]
    assert [] == found(sinks, {**SECRETS, **WEBHOOK_SECRETS, **more})


def test_no_sink_holds_the_password_of_the_store(tmp_path, simulator):
    """A store that is there, that goes away, whose password is refused, that is not found, or that cannot be read."""
    sinks, password = Sinks(), canary("password").strip("/+")
    prepared(tmp_path, simulator)
    server = PostgresServer()
    server.start()
    try:
        server.execute(f"CREATE ROLE canary LOGIN SUPERUSER PASSWORD '{password}'")
        name = server.new_database().rpartition("/")[2]
        url = server.url(name, user="canary", password=password)
        copy = ("--store-copy", str(tmp_path / "copy.json"))
        found_gateway = started(tmp_path / "policies", url, *copy, env=ENVIRONMENT)
        found_gateway.simulator = simulator
        try:
            wait_until((tmp_path / "copy.json").exists)
            server.stop()
            found_gateway.token = SECRETS["admin token"]
            wait_until(lambda: found_gateway.events("store_away"))
            sinks.add("status", json.dumps(found_gateway.status()))
            applications(found_gateway, sinks, SECRETS["provider credential in a file"])
            operators_without_a_store(found_gateway, sinks)
        finally:
            stopped(found_gateway, tmp_path, sinks)
        again = started(tmp_path / "policies", url, *copy, env=ENVIRONMENT)
        stopped(again, tmp_path, sinks, how=signal.SIGTERM)
        refused_start(tmp_path, sinks, "--store", url, "--store-copy", str(tmp_path / "none.json"))
        server.start()
        server.execute("ALTER ROLE canary PASSWORD 'another'")
        for bad in (
            url,
            url.replace("postgresql:", "postgres+psycopg:"),
            url.replace(f":{server.port}/", ":port/"),
            f"{url}?password={password}",
        ):
            refused_start(tmp_path, sinks, "--store", bad, "--store-copy", str(tmp_path / "none.json"))
    finally:
        server.remove()
    assert [] == found(sinks, {**SECRETS, **WEBHOOK_SECRETS, "password": password})


def operators_without_a_store(found_gateway, sinks):
    """Ask for what the store would have to be there for."""
    headers = {"authorization": f"Bearer {SECRETS['admin token']}"}
    for path in ("audit", "audit/verify", "access", "keys", "deployments", "explain?request=x"):
        sinks.heard("operations", httpx2.get(f"{found_gateway.admin_url}/admin/v1/{path}", headers=headers, timeout=60))
    for path in ("apps/helpdesk/keys", "rollouts/desk/rollback"):
        url = f"{found_gateway.admin_url}/admin/v1/{path}"
        sinks.heard("operations", httpx2.post(url, headers=headers, json={}, timeout=60))


def test_a_start_that_fails_shows_no_secret(tmp_path, simulator):
    """Settings that are refused, and policies that cannot be served."""
    sinks, secret = Sinks(), canary("setting").strip("/+")
    prepared(tmp_path, simulator)
    store = ("--store", f"sqlite:///{tmp_path / 'pinion.db'}")
    refused_start(tmp_path, sinks, *store, PINION_ADMIN_TOKEN=secret[:15])
    refused_start(tmp_path, sinks, *store, "--notify", "https://hooks.test/x", PINION_NOTIFY_SECRET=secret)
    refused_start(tmp_path, sinks, *store, "--notify", f"ftp://hooks.test/{secret}", PINION_NOTIFY_SECRET=secret)
    refused_start(tmp_path, sinks, *store, "--audit-anchor", f"https://{secret}@anchors.test/{secret}")
    refused_start(tmp_path, sinks, *store, OPENAI_API_KEY=f"{secret}\n")
    write_policies(tmp_path / "policies", {"bad.yaml": BAD_POLICIES["literal credential"]})
    refused_start(tmp_path, sinks, *store)
    (tmp_path / "key").write_text(f"PRIVATE+KEY+log.test+{secret}")
    refused_start(tmp_path, sinks, *store, "--audit-key", str(tmp_path / "key"))
    assert [] == found(sinks, {**SECRETS, "secret": secret, "short secret": secret[:15].rjust(20, "=")})
    assert secret[:15].encode() not in sinks["refused starts"]


def test_a_canary_is_found_in_every_form():
    """In the middle of other text, whole or in part, so that finding none says something."""
    secret = canary("one")
    for shape in forms(secret):
        assert [("sink", "one")] == found({"sink": b"before" + shape + b"after"}, {"one": secret})
