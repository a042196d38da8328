"""The operations API of the registry."""

import asyncio

import pytest

from gateway.api.registry import MAX_FILES_BODY
from gateway.core.dependent import Traffic
from tests.api.office import office, operator, said, token_of
from tests.api.test_openapi import fits

pytestmark = pytest.mark.anyio

REGISTRY = "/admin/v1/registry"
VERSION = f"{REGISTRY}/{{kind}}/{{name}}/{{version}}"
STABLE = f"{REGISTRY}/release/desk/1.0.0"
CANDIDATE = f"{REGISTRY}/release/desk/1.1.0"
ATLAS = f"{REGISTRY}/model/atlas-1.2.0/2026-01-01"
SLASHED = """
kind: model
name: PROVIDER
provider: sim
versions: {"1": {upstream_model: nova-2026-01-01, use_cases: [Support]}}
"""
NEW = {"files": {"a.yaml": SLASHED.replace("PROVIDER", "nova")}}


async def test_versions_are_listed_and_shown():
    """Of each registry, by name; with where each stands, what is known, and how complete that is."""
    async with office() as desk:
        listed = fits(await desk.get(f"{REGISTRY}/release"), f"{REGISTRY}/{{kind}}")["versions"]
        assert ["1.0.0", "1.1.0", "1.2.0"] == [each["version"] for each in listed]
        shown = fits(await desk.get(STABLE), VERSION)
        assert ("candidate", "active", 0.5, ["owner"]) == (
            shown["review"],
            shown["lifecycle"],
            shown["completeness"],
            shown["missing"],
        )
        assert "atlas-1.0.0@2026-01-01" == shown["facts"]["model"]
        assert {"content", "exceptions"} == shown.keys() - listed[0].keys()


async def test_versions_are_listed_by_use_case():
    """A part of it will do."""
    async with office() as desk:
        await desk.act(REGISTRY, NEW)
        found = (await desk.get(f"{REGISTRY}/model?use_case=supp")).json()["versions"]
        assert ["nova"] == [each["name"] for each in found]


async def test_versions_are_searched():
    """By any text that is known of them."""
    async with office() as desk:
        await desk.act(REGISTRY, NEW)
        path = f"{REGISTRY}/{{kind}}"
        found = fits(await desk.get(f"{REGISTRY}/model?search=NOVA"), path)["versions"]
        assert {"nova"} == {each["name"] for each in found}
        assert [] == fits(await desk.get(f"{REGISTRY}/model?search=dragons"), path)["versions"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{REGISTRY}/cat", "no registry 'cat'; there is model, prompt, dataset, release"),
        (f"{REGISTRY}/cat/a/1", "no registry 'cat'"),
        (f"{REGISTRY}/release/desk/1.0.9", "there is no release desk/1.0.9; did you mean"),
        (f"{REGISTRY}/model/none/1/dependents", "there is no model none@1"),
    ],
)
async def test_what_is_not_there_is_not_found(path, message):
    """With what there is."""
    async with office() as desk:
        answer = await desk.get(path)
        assert 404 == answer.status_code
        assert message in said(answer)


async def test_a_name_with_a_slash_is_encoded_twice():
    """As upstream names have them: the path is split once it has been decoded."""
    more = '---\nkind: route\nname: open\nreleases: {"1": {model: sim/meta/nova}}\nserve: "1"\n'
    async with office(more=more) as desk:
        answer = fits(await desk.get(f"{REGISTRY}/model/meta%252Fnova/meta%252Fnova"), VERSION)
        assert ("meta/nova", "meta/nova") == (answer["name"], answer["version"])


# Registering


async def test_documents_are_registered_in_the_name_of_the_operator():
    """The answer tells where each stands."""
    async with office(more=operator("ada", "roles: [author, viewer]")) as desk:
        headers = {"authorization": f"Bearer {token_of('ada')}"}
        answer = fits(await desk.act(REGISTRY, NEW, **headers), REGISTRY, "post")
        assert [("nova", "1", "ada", "draft")] == [
            (each["name"], each["version"], each["author"], each["review"]) for each in answer["registered"]
        ]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "files must be an object of names and texts"),
        ({"files": {"a.yaml": 1}}, 400, "files must be an object of names and texts"),
        ({"files": []}, 400, "files must be an object"),
        ({"files": {}, "more": 1}, 400, "unknown field 'more'"),
        ({"files": {}}, 422, "there is nothing to register"),
        ({"files": {"a.yaml": "kind: model\nname: b\n"}}, 422, "model b"),
        (b"{", 400, "the body is not JSON"),
        (b" " * (MAX_FILES_BODY + 1), 413, "the body is over 16384 KiB"),
    ],
)
@pytest.mark.parametrize("path", [REGISTRY, "/admin/v1/plan"])
async def test_files_that_cannot_be_taken_are_refused(path, body, status, message):
    """A body that is no set of files, one that is too large, and documents that are not acceptable."""
    async with office() as desk:
        answer = await desk.act(path, body)
        assert status == answer.status_code, answer.text
        value = fits(answer, path, "post")
        if path == REGISTRY or status != 422:
            assert message in said(answer)
        else:
            assert not value["accepted"]


async def test_what_serves_is_not_registered_otherwise():
    """A refusal, with both digests."""
    async with office() as desk:
        await desk.act(REGISTRY, NEW)
        changed = {"files": {"a.yaml": SLASHED.replace("PROVIDER", "atlas-1.0.0").replace('"1"', '"2026-01-01"')}}
        answer = await desk.act(REGISTRY, changed)
        assert 409 == answer.status_code
        assert "versions are immutable" in said(answer)
        fits(answer, REGISTRY, "post")


# The end of a version


async def test_a_version_is_deprecated_retired_and_revoked():
    """Each answer tells where it stands, with the reason that was given or whose word it was."""
    async with office() as desk:
        path = f"{VERSION}/deprecate"
        at = desk.process.clock.wall() + 100
        answer = fits(
            await desk.act(f"{ATLAS}/deprecate", {"reason": "old", "retire_at": at}),
            path,
            "post",
        )
        assert ("deprecated", "old", at) == (answer["lifecycle"], answer["reason"], answer["retire_at"])
        answer = fits(await desk.act(f"{CANDIDATE}/deprecate", {"successor": "1.2.0"}), path, "post")
        assert ("1.2.0", "deprecated by local") == (answer["successor"], answer["reason"])
        answer = fits(await desk.act(f"{CANDIDATE}/revoke", {"reason": "it leaks" * 200}), f"{VERSION}/revoke", "post")
        assert ("revoked", 500) == (answer["review"], len(answer["reason"]))
        answer = fits(await desk.act(f"{ATLAS}/retire"), f"{VERSION}/retire", "post")
        assert ("retired", "retired by local") == (answer["lifecycle"], answer["reason"])
        refused = await desk.act(f"{ATLAS}/retire")
        assert (409, True) == (refused.status_code, "does not take retire" in said(refused))


async def test_what_serves_is_not_retired():
    """A refusal that names the route."""
    async with office() as desk:
        answer = await desk.act(f"{STABLE}/retire")
        assert 409 == answer.status_code
        assert "release desk/1.0.0 serves desk (stable)" in said(answer)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"retire_at": 1e999}', "retire_at must be a time in seconds since 1970-01-01 UTC"),
        (b'{"retire_at": NaN}', "retire_at must be a time"),
        ({"retire_at": "tomorrow"}, "retire_at must be a number"),
        ({"retire_at": True}, "retire_at must be a number"),
        ({"successor": 2}, "successor must be a text"),
        ({"when": 2}, "unknown field 'when'; there is reason, retire_at, successor"),
    ],
)
async def test_a_deprecation_that_means_nothing_is_refused(body, message):
    """With what it takes."""
    async with office() as desk:
        answer = await desk.act(f"{ATLAS}/deprecate", body)
        assert 400 == answer.status_code
        assert message in said(answer)


@pytest.mark.parametrize("retire_at", [0, 1e12])
async def test_an_end_that_cannot_be_is_refused(retire_at):
    """Before now, and beyond what a date can say."""
    async with office() as desk:
        answer = await desk.act(f"{ATLAS}/deprecate", {"retire_at": retire_at})
        assert (409, True) == (answer.status_code, "would end" in said(answer))


async def test_dependents_are_told():
    """As declared and as observed."""
    async with office() as desk:
        at = desk.process.clock.wall()
        desk.ledger.seen = [Traffic("web", "desk", "1.0.0", 7, at)]
        answer = fits(await desk.get(f"{STABLE}/dependents"), f"{VERSION}/dependents")
        assert [
            {
                "app": "web",
                "route": "desk",
                "release": "1.0.0",
                "tracks": ["stable"],
                "is_declared": False,
                "requests": 7,
                "last_at": at,
            }
        ] == answer["dependents"]


# Deployments


async def test_deployments_are_told():
    """The newest first, of one route or of all."""
    path = "/admin/v1/deployments"
    async with office() as desk:
        writing = asyncio.ensure_future(desk.process.deployments.run())
        for _ in range(5):
            await asyncio.sleep(0)
        assert await desk.process.deployments.settled(60)
        writing.cancel()
        await asyncio.wait([writing])
        found = fits(await desk.get(path), path)["deployments"]
        assert ("desk", "1.0.0", "stable", None) in [
            (each["route"], each["release"], each["track"], each["until"]) for each in found
        ]
        assert 1 == len(fits(await desk.get(f"{path}?route=desk&limit=1"), path)["deployments"])
        assert [] == fits(await desk.get(f"{path}?route=none"), path)["deployments"]


@pytest.mark.parametrize("limit", ["x", "0", "-1", "1001", "", "0000010009", "9" * 20, "1.5"])
async def test_a_limit_that_is_none_is_refused(limit):
    """With what it may be."""
    async with office() as desk:
        answer = await desk.get(f"/admin/v1/deployments?limit={limit}")
        assert (400, "limit= is a whole number from 1 to 1000") == (answer.status_code, said(answer))


# Plans


async def test_a_plan_tells_what_would_happen():
    """Versions, acts and warnings; nothing changes."""
    path = "/admin/v1/plan"
    async with office() as desk:
        same = fits(await desk.act(path, {"files": desk.files}), path, "post")
        assert (True, False, [], []) == (same["accepted"], same["is_new"], same["registers"], same["acts"])
        files = {"all.yaml": desk.files["all.yaml"].replace('serve: "1.1.0"', 'serve: "1.2.0"')}
        answer = fits(await desk.act(path, {"files": files}), path, "post")
        assert "1.2.0" in {act["candidate"] for act in answer["acts"]}
        assert "1.1.0" == desk.process.kept.serve_line


async def test_a_refused_plan_names_every_problem():
    """With file, line and remedy."""
    path = "/admin/v1/plan"
    async with office() as desk:
        files = {"all.yaml": desk.files["all.yaml"].replace("atlas-1.0.0-2026", "atlas-9.0.0-2026")}
        answer = fits(await desk.act(path, {"files": files}), path, "post")
        assert not answer["accepted"]
        assert "all.yaml" == answer["problems"][0]["file"]
