"""Whether the releases of a set are signed as its routes ask."""

import base64
import json

import pytest

from gateway.control.policies import load
from gateway.control.signatures import doubts, statement_of, subjects_of, unsigned
from gateway.core.attestation import Statement
from gateway.core.errors import UnknownSubject
from tests.control.serving_world import files, route
from tests.control.signed_sets import signature, signed_set, unsigned_set

PROMPT = "---\nkind: prompt\nname: support\nversion: 1.0.0\n---\nAnswer briefly.\n"


def said(policy_files):
    """What is unsigned in a set, a line each."""
    return [str(problem) for problem in unsigned(load(policy_files))]


def test_a_statement_names_the_release_and_what_it_is_made_of():
    """With their digests, the revision of the policies, and the time it is told."""
    prompted = files(route(releases="1.0.0").replace("2026-01-01}", "2026-01-01, prompt: support@1.0.0}"))
    policies = load({**prompted, "a.prompt": PROMPT})
    stated = statement_of(policies, "desk", "1.0.0", "now")
    assert {
        "desk/1.0.0": policies.routes["desk"].releases["1.0.0"].digest,
        "model:atlas-1.0.0@2026-01-01": policies.models["atlas-1.0.0@2026-01-01"].digest,
        "prompt:support@1.0.0": policies.prompts["support@1.0.0"].digest,
    } == stated.subjects
    assert {
        "model": "atlas-1.0.0@2026-01-01",
        "prompt": "support@1.0.0",
        "policy_revision": policies.revision,
        "signed_at": "now",
    } == stated.predicate
    assert [] == doubts(policies, stated)


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [("dusk", "1.0.0", "no route 'dusk'"), ("desk", "2.0.0", "route desk has no release '2.0.0'; there is 1.0.0")],
)
def test_only_releases_of_the_set_have_subjects(name, version, message):
    """Of others there is nothing to state."""
    with pytest.raises(UnknownSubject, match=message):
        subjects_of(load(unsigned_set()), name, version)


def test_a_route_that_asks_for_no_signature_needs_none():
    """Whatever keys there are."""
    assert [] == said(unsigned_set(required=False))


def test_a_release_without_a_signature_is_found():
    """At its own place, with the command that signs it."""
    assert [
        "all.yaml:10: release desk/1.0.0 is not signed by ada or ben; pinion release sign desk/1.0.0 --key KEY.pem "
        "--out desk-1.0.0.dsse.json, in the policy folder"
    ] == said(unsigned_set())


@pytest.mark.parametrize("signer", ["ada", "ben"])
def test_one_of_the_keys_is_enough(signer):
    """Whichever of those that the route names, of either kind."""
    assert [] == said(signed_set("1.0.0", by=signer))


def test_a_key_that_the_route_does_not_name_does_not_count():
    """However good its signature is."""
    (found,) = said(signed_set("1.0.0", by="eve"))
    assert "and desk-1.0.0.dsse.json does not count: no signature in it is one of theirs; pinion release sign" in found


def test_a_changed_payload_does_not_count():
    """Were it only the time."""
    policy_files = signed_set("1.0.0", by="ada")
    changed = json.loads(policy_files["desk-1.0.0.dsse.json"])
    payload = base64.b64decode(changed["payload"]).replace(b"2026-11-25", b"2026-11-26")
    changed["payload"] = base64.b64encode(payload).decode()
    policy_files["desk-1.0.0.dsse.json"] = json.dumps(changed)
    (found,) = said(policy_files)
    assert "no signature in it is one of theirs" in found


def test_a_signature_of_other_content_does_not_count():
    """A release that has changed since is no longer signed."""
    policy_files = signed_set("1.0.0", by="ada")
    policy_files["all.yaml"] = policy_files["all.yaml"].replace("-2026-01-01", "-2026-02-02")
    (found,) = said(policy_files)
    assert "it states " in found
    assert " of desk/1.0.0, which is " in found


def test_a_signature_of_another_release_does_not_count():
    """Each needs one of its own."""
    two = unsigned_set(releases="1.0.0 1.1.0")
    two["a.dsse.json"] = signature("1.0.0", by="ada", of=two)
    (found,) = said(two)
    assert "release desk/1.1.0 is not signed by ada or ben; " in found
    two["b.dsse.json"] = signature("1.1.0", by="ben", of=two)
    assert [] == said(two)


def test_a_good_signature_counts_beside_a_bad_one():
    """Two people may sign, in two files."""
    policy_files = signed_set("1.0.0", by="eve")
    policy_files["b.dsse.json"] = signature("1.0.0", by="ben")
    assert [] == said(policy_files)


def test_a_retired_release_needs_no_signature():
    """It takes no requests."""
    retired = unsigned_set(releases="1.0.0 1.1.0")
    retired["all.yaml"] = retired["all.yaml"].replace("1.1.0-2026-01-01}", '1.1.0-2026-01-01, retired: "old"}')
    (found,) = said(retired)
    assert "desk/1.0.0" in found


def test_a_statement_on_something_that_the_release_does_not_have_is_in_doubt():
    """Nothing that was signed may be missing, and names of others' making stay on one line."""
    policies = load(unsigned_set())
    subjects = {**subjects_of(policies, "desk", "1.0.0"), "card:desk/1.0.0\n": "ab" * 32}
    assert ["the policies hold no card:desk/1.0.0\\n with this release"] == doubts(
        policies, Statement("desk/1.0.0", subjects, {})
    )
