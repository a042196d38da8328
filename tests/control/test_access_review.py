"""The review of access."""

import pytest

from gateway.control.access_review import review
from gateway.core.access import PERMITTED
from gateway.core.access_use import STALE_DAYS, AccessUse, day_of
from tests.control.serving_world import files, route, serving

pytestmark = pytest.mark.anyio

DAY = 86_400.0
A, B = "aa" * 32, "bb" * 32
IDP = "kind: identity_provider\nname: idp\nissuer: https://id.test\naudience: pinion\njwks_file: k.json"
WHO = files(
    route(),
    f"kind: app\nname: helpdesk\nowner: team\nroutes: [desk]\nkeys: [{{sha256: {A}}}]",
    "kind: app\nname: sales\nkeys: []",
    f"kind: operator\nname: ada\nroles: [viewer]\ntokens: [{{sha256: {B}}}]\nsubject: ada@x.test",
    "kind: operator\nname: bob\nroles: [auditor]\nperson: true",
    IDP,
)


def told(process, use=None, *, has_admin_token=False):
    """The review, with operators and applications by name."""
    found = review(process.live, use or AccessUse(), has_admin_token=has_admin_token)
    return found, {each["name"]: each for each in (*found["operators"], *found["apps"])}


async def test_it_tells_who_may_what_and_how_they_are_known():
    """Declared keys by their digest's beginning, issued ones by their id, and whom an identity provider knows."""
    async with serving(WHO) as process:
        key, _ = await process.keys.issue("operator", "ada", "root", DAY)
        gone, _ = await process.keys.issue("operator", "ada", "root", None)
        process.keys.revoke("operator", gone.id, "root")
        issued, _ = await process.keys.issue("app", "sales", "root", None)
        _, by_name = told(process)

        ada, helpdesk, sales = by_name["ada"], by_name["helpdesk"], by_name["sales"]
        assert (["viewer"], True) == (ada["roles"], ada["is_person"])
        assert PERMITTED["viewer"] == {each["permission"] for each in ada["may"]}
        assert ["declared", "issued", "oidc"] == [way["how"] for way in ada["identified_by"]]
        declared, token, subject = ada["identified_by"]
        assert ("sha256:bbbbbbbb", key.id, "root") == (declared["key"], token["key"], token["created_by"])
        assert ("https://id.test", "ada@x.test") == (subject["issuer"], subject["subject"])
        assert ("team", ["desk"], ["sha256:aaaaaaaa"]) == (
            helpdesk["owner"],
            helpdesk["routes"],
            [way["key"] for way in helpdesk["identified_by"]],
        )
        assert (None, [issued.id]) == (sales["routes"], [way["key"] for way in sales["identified_by"]])
        assert "sha256" not in {name for way in sales["identified_by"] for name in way}


async def test_what_is_unused_comes_first():
    """A grant that was used within 90 days counts as used, one that was used before or never does not."""
    async with serving(WHO) as process:
        today = day_of(process.clock.wall())
        grants = {("bob", each): today for each in PERMITTED["auditor"]}
        grants |= {("ada", "status.read"): today - STALE_DAYS, ("ada", "explain.read"): today - STALE_DAYS - 1}
        found, by_name = told(process, AccessUse({}, grants))

        assert ["ada", "bob"] == [each["name"] for each in found["operators"]]
        assert {"explain.read", "experiment.read", "registry.read", "card.read"} == set(by_name["ada"]["unused"])
        assert ([], today * DAY) == (by_name["bob"]["unused"], by_name["bob"]["last_used"])
        assert (today - STALE_DAYS) * DAY == by_name["ada"]["last_used"]


async def test_applications_that_never_called_come_first():
    """Then those that have not for the longest."""
    async with serving(WHO) as process:
        found, by_name = told(process, AccessUse({A: 5.0}))
        assert (["sales", "helpdesk"], 5.0) == (
            [app["name"] for app in found["apps"]],
            by_name["helpdesk"]["last_used_at"],
        )


@pytest.mark.parametrize(
    ("policies", "has_token", "expected"),
    [
        (WHO, False, {}),
        (WHO, True, {"operator": ("admin_token", "admin")}),
        (files(route()), True, {"operator": ("admin_token", "local")}),
        (files(route()), False, {"local": ("local", "local")}),
    ],
)
async def test_those_without_a_name_are_told_of(policies, has_token, expected):
    """Whoever is on the machine, and whoever has the admin token, as they are let in."""
    async with serving(policies) as process:
        found, _ = told(process, has_admin_token=has_token)
        anonymous = {
            each["name"]: (each["identified_by"][0]["how"], *each["roles"])
            for each in found["operators"]
            if each["name"] not in ("ada", "bob")
        }
        assert expected == anonymous
