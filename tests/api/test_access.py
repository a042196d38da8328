"""The operations API of access."""

import hashlib

import pytest

from tests.api.office import office, operator, said, staffed, token_of

pytestmark = pytest.mark.anyio

APPS = "---\nkind: app\nname: helpdesk\nkeys: []\n---\nkind: app\nname: sales\nkeys: []\n"
ADMIN = {"authorization": f"Bearer {token_of('the-admin')}"}


@pytest.fixture
async def desk():
    """An office with staff and two applications."""
    async with office(None, staffed() + APPS) as found:
        yield found


async def test_a_key_is_shown_once(desk):
    """In the answer that issues it, which nobody is to keep; not in lists, the log, or the status."""
    answer = await desk.act("/admin/v1/apps/helpdesk/keys", {"expires": "90d"}, **ADMIN)
    told = answer.json()
    assert (200, "no-store") == (answer.status_code, answer.headers["cache-control"])
    assert ("helpdesk", "the-admin", "good") == (told["owner"], told["created_by"], told["state"])
    assert 90 * 86_400 == told["expires_at"] - told["created_at"]
    assert "helpdesk" == desk.process.live.current.app_of(told["secret"].encode()).name
    sha256 = hashlib.sha256(told["secret"].encode()).hexdigest()
    for path in ("keys", "keys?app=helpdesk", "access", "status", "operators"):
        listed = (await desk.get(f"/admin/v1/{path}", **ADMIN)).text
        assert told["secret"] not in listed
        assert sha256 not in listed
    assert told["secret"] not in str(desk.process.journal.events)
    assert ["key_issued"] == [name for name, _ in desk.process.journal.events if name.startswith("key_")]


async def test_keys_are_listed_by_application(desk):
    """All of them, or those of one; the list says when each was last used."""
    for name in ("helpdesk", "sales"):
        text = (await desk.act(f"/admin/v1/apps/{name}/keys", {}, **ADMIN)).json()["secret"]
    desk.process.live.current.app_of(text.encode())
    every = (await desk.get("/admin/v1/keys", **ADMIN)).json()["keys"]
    assert [("helpdesk", False), ("sales", True)] == [(key["owner"], key["last_used_at"] is not None) for key in every]
    assert every[1:] == (await desk.get("/admin/v1/keys?app=sales", **ADMIN)).json()["keys"]


async def test_a_key_is_rotated(desk):
    """The answer holds the new one and when the old one ends, in a week if nothing else is said."""
    old = (await desk.act("/admin/v1/apps/helpdesk/keys", {}, **ADMIN)).json()
    answer = await desk.act("/admin/v1/apps/helpdesk/rotate", {}, **ADMIN)
    made = answer.json()
    assert "no-store" == answer.headers["cache-control"]
    assert (old["key"], made["key"]) == (made["replaces"]["key"], made["replaces"]["replaced_by"])
    assert 7 * 86_400 == made["replaces"]["expires_at"] - made["created_at"]
    again = {"key": made["key"], "overlap": "0s", "expires": "1d"}
    assert "expired" == (await desk.act("/admin/v1/apps/helpdesk/rotate", again, **ADMIN)).json()["replaces"]["state"]


async def test_a_key_is_revoked_at_once(desk):
    """By whoever may, once more too; while the store is away it is said not to be recorded."""
    told = (await desk.act("/admin/v1/apps/helpdesk/keys", {}, **ADMIN)).json()
    path = f"/admin/v1/keys/{told['key']}/revoke"
    by_operator = {"authorization": f"Bearer {token_of('the-operator')}"}
    answer = (await desk.act(path, **by_operator)).json()
    assert ("revoked", "the-operator", True) == (answer["state"], answer["revoked_by"], answer["is_recorded"])
    assert None is desk.process.live.current.app_of(told["secret"].encode())
    assert "the-operator" == (await desk.act(path, **ADMIN)).json()["revoked_by"]


async def test_a_revocation_that_waits_for_the_store_says_so(desk):
    """It is in force all the same."""
    told = (await desk.act("/admin/v1/apps/helpdesk/keys", {}, **ADMIN)).json()
    desk.process.store.away = True
    answer = (await desk.act(f"/admin/v1/keys/{told['key']}/revoke", **ADMIN)).json()
    assert ("revoked", False) == (answer["state"], answer["is_recorded"])
    assert 503 == (await desk.act("/admin/v1/apps/helpdesk/keys", {}, **ADMIN)).status_code


async def test_a_token_is_issued_used_and_revoked(desk):
    """It is its operator's from the next request on, and nobody's from the one after its revocation."""
    told = (await desk.act("/admin/v1/operators/the-viewer/tokens", {}, **ADMIN)).json()
    token = {"authorization": f"Bearer {told['secret']}"}
    assert (200, 403) == (
        (await desk.get("/admin/v1/status", **token)).status_code,
        (await desk.act("/admin/v1/reload", **token)).status_code,
    )
    (viewer,) = (
        each
        for each in (await desk.get("/admin/v1/operators", **ADMIN)).json()["operators"]
        if each["name"] == "the-viewer"
    )
    (way,) = (way for way in viewer["identified_by"] if way["how"] == "issued")
    assert (told["key"], True) == (way["key"], way["last_used_at"] is not None)
    assert 404 == (await desk.act(f"/admin/v1/keys/{told['key']}/revoke", **ADMIN)).status_code
    assert 200 == (await desk.act(f"/admin/v1/tokens/{told['key']}/revoke", **ADMIN)).status_code
    assert 401 == (await desk.get("/admin/v1/status", **token)).status_code


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("apps/nobody/keys", {}, 404, "no app 'nobody' is declared; there is helpdesk, sales"),
        ("operators/nobody/tokens", {}, 404, "no operator 'nobody' is declared"),
        ("apps/helpdesk/keys", {"expires": "1s"}, 400, "a key lasts from 1m to 3650d"),
        ("apps/helpdesk/keys", {"expires": "soon"}, 400, "expires: 'soon' is not a duration"),
        ("apps/helpdesk/keys", {"expires": 1}, 400, "expires must be a text"),
        ("apps/helpdesk/keys", {"days": "1d"}, 400, "unknown field 'days'; there is expires"),
        ("apps/helpdesk/rotate", {}, 409, "app helpdesk has no issued key in force; issue one"),
        ("apps/helpdesk/rotate", {"overlap": "91d"}, 400, "the overlap must be at most 90d"),
        ("keys/none/revoke", {}, 404, "no issued key 'none'"),
        ("keys/none/revoke", {"why": "x"}, 400, "unknown field 'why'"),
    ],
)
async def test_what_cannot_be_done_says_why(desk, path, body, status, message):
    """With what to do."""
    answer = await desk.act(f"/admin/v1/{path}", body, **ADMIN)
    assert status == answer.status_code
    assert message in said(answer)


async def test_the_review_wants_the_store_and_the_lists_do_not(desk):
    """Without what was used a review would call everything unused."""
    desk.process.store.away = True
    assert [200, 200, 503] == [
        (await desk.get(f"/admin/v1/{path}", **ADMIN)).status_code for path in ("keys", "operators", "access")
    ]


async def test_the_review_knows_what_was_asked():
    """Of an operator who asked for one thing, everything else is unused."""
    async with office("operator-token-0123456789", operator("ada", "roles: [auditor]") + APPS) as desk:
        token = {"authorization": f"Bearer {token_of('ada')}"}
        told = (await desk.get("/admin/v1/access", **token)).json()
        by_name = {each["name"]: each for each in told["operators"]}
        assert {"ada", "operator"} == set(by_name)
        assert "access.review" not in by_name["ada"]["unused"]
        assert "audit.read" in by_name["ada"]["unused"]
        assert len(by_name["operator"]["may"]) == len(by_name["operator"]["unused"])
        assert ["helpdesk", "sales"] == [app["name"] for app in told["apps"]]
