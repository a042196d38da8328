"""The operations API of approvals: the whole way of a release over HTTP, and what is refused on it."""

import pytest
from jsonschema import Draft202012Validator

from gateway.api.openapi import document
from tests.api.office import office, operator, said, token_of
from tests.control.approval_world import policy

pytestmark = pytest.mark.anyio

STAFF = "".join(
    operator(name, more)
    for name, more in {
        "ada": "roles: [author, operator]",
        "eve": "signs_for: [risk]",
        "vic": "roles: [viewer]",
        "bot": "person: false\nroles: [author]",
    }.items()
)
RELEASE = "/admin/v1/releases/desk/1.2.0"
POLICY = policy(more="gates: [rollback_plan]\nemergency: {roles: [operator]}")
FULL = {"reason": "better", "rollback_plan": "serve 1.1.0"}


def by(name):
    """The headers of an operator."""
    return {"authorization": f"Bearer {token_of(name)}"}


def fits(answer, schema):
    """Assert that an answer is as the document describes it, and give it."""
    assert answer.status_code == 200, answer.text
    Draft202012Validator(
        {**document()["components"]["schemas"][schema], "components": document()["components"]}
    ).validate(answer.json())
    return answer.json()


class Desk:
    """An office whose route a policy governs."""

    def __init__(self, office) -> None:
        self.office = office

    async def act(self, name, verb, said=None, path=RELEASE):
        """An act of somebody."""
        return await self.office.act(f"{path}/{verb}", said or {}, **by(name))


async def governed_office(found):
    """Have a policy govern the office's route."""
    found.files = {**found.files, "policy.yaml": POLICY}
    assert (await found.process.serving.reload(found.files)).accepted
    return Desk(found)


async def test_a_release_is_requested_reviewed_and_signed():
    """Every answer is as the document says; the review says what is missing, and to whom it is open."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        assert fits(await found.get(f"{RELEASE}/review", **by("vic")), "Review")["request"] is None
        made = fits(await desk.act("ada", "request", FULL), "ApprovalRequest")
        assert ({"risk": 1}, False) == (made["missing"], made["waits_for_you"])
        review = fits(await found.get(f"{RELEASE}/review", **by("eve")), "Review")
        assert (True, None, True) == (
            review["is_current"],
            review["request"]["why_not_you"],
            review["gates"][0]["holds"],
        )
        inbox = fits(await found.get("/admin/v1/approvals", **by("eve")), "Approvals")
        assert [True] == [each["waits_for_you"] for each in inbox["requests"]]
        signed = {"digest": made["digest"][:12], "comment": "read it", "role": "risk"}
        assert "approved" == fits(await desk.act("eve", "sign", signed), "ApprovalRequest")["state"]
        past = fits(await found.get("/admin/v1/approvals?past=1", **by("eve")), "Approvals")
        assert ([], ["eve"]) == (past["requests"], [each["ended_by"] for each in past["past"]])


async def test_requests_are_withdrawn_and_rejected():
    """A rejection says why."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        await desk.act("ada", "request", FULL)
        assert "withdrawn" == (await desk.act("ada", "withdraw")).json()["state"]
        await desk.act("ada", "request", FULL)
        assert 400 == (await desk.act("eve", "reject")).status_code
        assert "rejected" == (await desk.act("eve", "reject", {"reason": "no"})).json()["state"]
        assert "rejected: no" == found.process.desk.out["1.2.0"]


async def test_exceptions_and_emergencies_have_an_owner_and_a_reason():
    """And an end."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        until = found.process.clock.wall() + 60.0
        assert "until is needed" in said(await desk.act("ada", "except", {"reason": "x"}))
        assert "reason is needed" in said(await desk.act("ada", "except", {"until": until}))
        made = fits(await desk.act("ada", "except", {"until": until, "reason": "trial"}), "ApprovalException")
        assert ("ada", until, False) == (made["owner"], made["until"], made["is_overdue"])
        assert fits(await desk.act("ada", "emergency", {"reason": "fire"}), "ApprovalException")["is_emergency"]
        assert 2 == len((await found.get("/admin/v1/approvals", **by("vic"))).json()["exceptions"])


@pytest.mark.parametrize(
    ("who", "verb", "status"),
    [
        ("bot", "request", 403),
        ("ada", "sign", 403),
        ("vic", "sign", 403),
        ("vic", "request", 403),
        ("eve", "emergency", 403),
        ("eve", "sign", 404),
    ],
)
async def test_who_may_not_is_refused(who, verb, status):
    """A service asks for nothing, and who does not sign signs nothing."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        assert status == (await desk.act(who, verb, {"reason": "x"} if verb != "sign" else {})).status_code


async def test_a_change_of_a_policy_goes_the_same_way():
    """By its name."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        found.files = {**found.files, "policy.yaml": policy(requires="{other: 1}")}
        path = "/admin/v1/approvals/policies/prod"
        assert 404 == (await desk.act("ada", "request", path=path)).status_code
        assert 422 == (await found.act("/admin/v1/reload", **by("ada"))).status_code
        made = fits(await desk.act("ada", "request", {"reason": "x"}, path), "ApprovalRequest")
        assert "approval_policy" == made["kind"]
        assert "approved" == (await desk.act("eve", "sign", path=path)).json()["state"]
        assert 200 == (await found.act("/admin/v1/reload", **by("ada"))).status_code


async def test_an_unknown_field_is_refused():
    """Nobody smuggles in who signed, or what is approved."""
    async with office(None, STAFF) as found:
        desk = await governed_office(found)
        for smuggled in ({"requester": "eve"}, {"state": "approved"}, {"person": "eve"}):
            assert 400 == (await desk.act("ada", "request", smuggled)).status_code


async def test_a_refused_sign_off_is_noted_for_the_trail():
    """Who asked for it does not sign it; the entry tells who tried, on what, and why not."""
    async with office(None, STAFF + operator("zoe", "roles: [author]\nsigns_for: [risk]")) as found:
        desk = await governed_office(found)
        assert 200 == (await desk.act("zoe", "request", FULL)).status_code
        assert 403 == (await desk.act("zoe", "sign")).status_code
        (noted,) = [act for act in found.noted if act.action == "approval.sign"]
        assert ("zoe", "denied", "desk", "person") == (
            noted.actor,
            noted.outcome,
            noted.target.id,
            noted.origin.kind,
        )
        assert noted.reason


async def test_a_refusal_on_what_is_not_there_keeps_no_word_of_who_asked():
    """The entry can never be changed, and a name that there is none of could be anything."""
    async with office() as found:
        for name in ("desk", "my-own-words"):
            answer = await found.act(f"/admin/v1/releases/{name}/1.1.0/emergency", {"reason": "fire"})
            assert 403 == answer.status_code
        known, unknown = [act.target for act in found.noted]
        assert [("desk", "1.1.0"), ("unknown", None)] == [(each.id, each.version) for each in (known, unknown)]
        assert "my-own-words" not in repr(found.noted)
