"""The entrance of the operations API: every route by every role, and what is told of who is refused."""

import itertools
import json
from dataclasses import replace

import httpx2
import pytest
from starlette.routing import Route

from gateway.api.entrance import OPEN, PERMISSION_OF, Entrance, _why_not
from gateway.api.openapi import document
from gateway.control.identification import Identification
from gateway.core.access import PERMISSIONS, PERMITTED, PERSONAL
from gateway.core.operator import BREAK_GLASS, LOCAL, Operator
from tests.adapters.identity_keys import SET, token
from tests.api.office import STAFF, TOKEN, office, said, staffed, token_of
from tests.control.serving_world import Process, Store, TokenVerifier
from tests.gateway_process import PROVIDERS, running_gateway

pytestmark = pytest.mark.anyio

GUARDED = sorted(PERMISSION_OF)
"""Every method of every path that asks who it is."""

ROLES = [role if role == "auditor" else pytest.param(role, marks=pytest.mark.untraced) for role in STAFF]
"""Every role. Some lines run for an auditor in no other test, so that one is traced."""


def filled(path):
    """A path with something in the place of each parameter."""
    values = {"route": "desk", "verb": "pause", "name": "none", "key": "none", "kind": "model", "version": "1"}
    return path.format_map(values)


async def asked(desk, method, path, **headers):
    """The answer to a request as that of a route is sent."""
    content = None if method == "GET" else b"{}"
    more = {} if method == "GET" else {"content-type": "application/json"}
    async with desk.client(**more, **headers) as client:
        return await client.request(method, filled(path), content=content)


async def test_every_route_is_open_or_states_its_permission():
    """The table and the application hold the same paths and methods; HEAD is a GET."""
    async with office() as desk:
        served = {
            (method, route.path)
            for route in desk.application.routes
            if isinstance(route, Route) and route.path not in OPEN
            for method in route.methods - {"HEAD"}
        }
        paths = {route.path for route in desk.application.routes}
    assert set(PERMISSION_OF) == served
    assert paths >= OPEN
    assert set(PERMISSIONS) >= set(PERMISSION_OF.values())


def test_the_document_states_the_same_permissions():
    """Whoever reads it knows what a token must be able to do."""
    stated = {
        (method.upper(), path): operation["x-permission"]
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if path not in OPEN
    }
    assert PERMISSION_OF == stated


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("role", ROLES)
async def test_each_role_may_what_the_table_says(role, method, path):
    """403 for what it does not permit, anything else for what it does: every route by every role, over HTTP."""
    async with office(TOKEN, staffed()) as desk:
        answer = await asked(desk, method, path, authorization=f"Bearer {token_of(f'the-{role}')}")

    assert answer.status_code != 401
    assert (PERMISSION_OF[method, path] in PERMITTED[role]) is (answer.status_code != 403)


@pytest.mark.untraced
@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_the_admin_token_is_an_admin_where_operators_are_declared(method, path):
    """It breaks the glass: it gives access, and moves no rollout on."""
    async with office(TOKEN, staffed()) as desk:
        answer = await asked(desk, method, path, authorization=f"Bearer {TOKEN}")

    assert (PERMISSION_OF[method, path] in PERMITTED["admin"]) is (answer.status_code not in (401, 403))


@pytest.mark.untraced
@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("token", [None, TOKEN])
async def test_without_operators_everything_is_as_it_was(token, method, path):
    """Whoever is on the machine, or has the one token, may all of it, but for what a known person must sign."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with office(token) as desk:
        answer = await asked(desk, method, path, **headers)

    assert (PERMISSION_OF[method, path] in PERMITTED["local"]) is (answer.status_code not in (401, 403))


@pytest.mark.untraced
@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("bearer", [None, "nobody", token_of("nobody")])
async def test_loopback_is_closed_where_an_operator_is_declared(bearer, method, path):
    """Without a token, or with nobody's, the answer is the same."""
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    async with office(None, staffed()) as desk:
        answer = await asked(desk, method, path, **headers)

        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
        assert "this needs the token of an operator, as a Bearer token" == said(answer)
        assert "running" == desk.process.state


@pytest.mark.parametrize("path", sorted(OPEN))
async def test_what_is_open_stays_open(path):
    """Probes have no token."""
    async with office(None, staffed()) as desk:
        assert 200 == (await desk.get(path)).status_code


async def test_head_needs_what_get_needs():
    """It tells as much."""
    async with office(None, staffed()) as desk, desk.client() as client:
        assert 401 == (await client.head("/admin/v1/status")).status_code
        token = {"authorization": f"Bearer {token_of('the-viewer')}"}
        assert 200 == (await client.head("/admin/v1/status", headers=token)).status_code


async def test_acts_are_recorded_with_the_operators_name():
    """In the rollout and in its reason."""
    async with office(None, staffed()) as desk:
        token = {"authorization": f"Bearer {token_of('the-operator')}"}
        answer = (await desk.act("/admin/v1/rollouts/desk/rollback", **token)).json()

        assert ("the-operator", "rollback by the-operator") == (answer["actor"], answer["reason"])


async def test_a_refusal_is_told_with_who_and_what_and_never_a_token():
    """One event, for a known operator and for nobody."""
    async with office(None, staffed()) as desk:
        token = token_of("the-viewer")
        await desk.act("/admin/v1/rollouts/desk/promote", authorization=f"Bearer {token}")
        await desk.get(f"/admin/v1/experiments/{'x' * 300}", authorization="Bearer pio_secret")
        known, nobody = desk.process.events("access_denied")

        assert ("the-viewer", "declared", "rollout.act", "POST", "/admin/v1/rollouts/desk/promote") == (
            known["operator"],
            known["identified"],
            known["permission"],
            known["method"],
            known["path"],
        )
        assert "operator the-viewer may not do rollout.act; it takes the role operator" == known["message"]
        assert (None, None, 200) == (nobody["operator"], nobody["identified"], len(nobody["path"]))
        assert token not in str(desk.process.journal.events)
        assert "pio_secret" not in str(desk.process.journal.events)


async def test_a_refused_act_still_must_be_json():
    """What a web page may send without asking is refused before anybody is asked who they are."""
    async with office(None, staffed()) as desk:
        assert 415 == (await desk.act("/admin/v1/reload", **{"content-type": "text/plain"})).status_code


def test_a_route_without_a_permission_cannot_be_made():
    """Nor one that claims to be open."""
    process = Process(Store())
    entrance = Entrance(
        Identification(lambda: process.live.current, TokenVerifier(), None),
        process.journal,
        process.access_uses,
        lambda *_: None,
    )

    async def handler(_request, _operator=None):
        raise AssertionError

    with pytest.raises(LookupError):
        entrance.route("/admin/v1/secrets", GET=handler)
    with pytest.raises(LookupError):
        entrance.route("/admin/v1/status", GET=handler, DELETE=handler)
    with pytest.raises(LookupError, match="not open to everybody"):
        entrance.open("/admin/v1/status", handler)


@pytest.mark.parametrize(("role", "permission"), list(itertools.product([*STAFF, "local"], PERMISSIONS)))
def test_a_refusal_names_who_could(role, permission):
    """For every permission that a role has not."""
    operator = Operator("ada", frozenset({role}))
    if not operator.may(permission):
        assert _why_not(operator, permission).startswith(f"operator ada may not do {permission}; it takes the role ")


@pytest.mark.parametrize("permission", sorted(PERSONAL))
def test_a_refusal_of_what_is_personal_says_how_to_be_a_person(permission):
    """A service cannot, nor can somebody by a token that was issued."""
    both = Operator("ada", frozenset({"approver", "operator"}), identified="issued")
    assert "own making" in _why_not(both, permission)
    assert not replace(both, identified="issued").may(permission)
    assert f"{permission} is for persons alone, and operator is none" == _why_not(BREAK_GLASS, permission)
    assert "approver" in _why_not(LOCAL, "release.sign")


async def test_the_table_holds_over_a_real_connection(tmp_path):
    """Three requests of a gateway as it runs: nobody, a viewer, an operator."""
    text = staffed() + "---\nkind: route\nname: r\nreleases: {'1': {model: openai/gpt-4o-2024-08-06}}\nserve: '1'\n"
    with running_gateway(tmp_path, {"providers.yaml": PROVIDERS, "who.yaml": text.removeprefix("---\n")}) as gateway:
        tokens = (None, token_of("the-viewer"), token_of("the-operator"))
        headers = [{} if token is None else {"authorization": f"Bearer {token}"} for token in tokens]
        url = f"{gateway.admin_url}/admin/v1/reload"
        assert [401, 403, 200] == [httpx2.post(url, json={}, headers=each).status_code for each in headers]
        assert [401, 200, 200] == [
            httpx2.get(f"{gateway.admin_url}/admin/v1/status", headers=each).status_code for each in headers
        ]


async def test_a_person_of_an_identity_provider_signs_in_with_a_real_token(tmp_path):
    """A gateway as it runs: a signed token is its operator, and nobody's once it is another's."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(SET))
    who = (
        f"kind: identity_provider\nname: idp\nissuer: https://id.test\naudience: pinion\njwks_file: {keys}\n"
        "---\nkind: operator\nname: ada\nroles: [viewer]\nsubject: ada\n"
        "---\nkind: route\nname: r\nreleases: {'1': {model: openai/gpt-4o-2024-08-06}}\nserve: '1'\n"
    )
    with running_gateway(tmp_path, {"providers.yaml": PROVIDERS, "who.yaml": who}) as gateway:

        def status(method, path, **claims):
            headers = {"authorization": f"Bearer {token(**claims)}"}
            content = None if method == "GET" else b"{}"
            more = {} if method == "GET" else {"content-type": "application/json"}
            url = f"{gateway.admin_url}/admin/v1/{path}"
            return httpx2.request(method, url, headers={**headers, **more}, content=content).status_code

        assert [200, 403] == [status("GET", "status"), status("POST", "reload")]
        assert [401, 401] == [status("GET", "status", sub="eve"), status("GET", "status", exp=1)]
    assert not [line for line in gateway.log if token().split(".")[0] in line]
