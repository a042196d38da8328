"""Signing keys and signed statements in a policy set."""

import json

import pytest

from gateway.control.policies import load
from gateway.control.policy_attestations import is_attached
from gateway.control.signing_key import new_pair, read_public_key
from gateway.core.errors import PolicyFault
from tests.control.serving_world import PROVIDER, files, route
from tests.control.signed_sets import KEYS, PUBLIC, signature, signed_set


def problems(policy_files):
    """What is wrong with a set, a line each."""
    with pytest.raises(PolicyFault) as caught:
        load(policy_files)
    return [str(problem) for problem in caught.value.problems]


def test_a_signing_key_is_written_out_or_in_a_file():
    """Of the folder, whose name ends in .pub.pem."""
    indented = "\n".join(f"  {line}" for line in PUBLIC["ada"].splitlines())
    written = f"kind: signing_key\nname: ada\nowner: Ada\npublic_key: |\n{indented}\n"
    named = "kind: signing_key\nname: ben\npublic_key: {file: keys/ben.pub.pem}\n"
    policies = load({**files(route(), written, named), "keys/ben.pub.pem": PUBLIC["ben"]})
    assert {name: read_public_key(PUBLIC[name]) for name in ("ada", "ben")} == {
        name: key.key for name, key in policies.signing_keys.items()
    }
    assert "Ada" == policies.signing_keys["ada"].owner


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("text", "all.yaml:13: signing_key k: public_key: not a public key in PEM; use Ed25519 or ECDSA P-256"),
        ("{file: other.pub.pem}", "public_key.file: there is no 'other.pub.pem' in the policy folder; name it from"),
        ("{file: all.yaml}", "public_key.file: there is no 'all.yaml' in the policy folder; name it from"),
        ("{file: secret.pub.pem}", "public_key.file: this is a private key; take it away from here"),
        ("{file: a.pub.pem, pem: x}", "it takes one of pem, file, and pem and file are given; write exactly one"),
        ("{}", "it takes one of pem, file, and none of them is given; write exactly one"),
        ("7", "public_key is 7, not a set of keys; write its keys"),
    ],
)
def test_what_is_no_key_is_a_problem(key, said):
    """At the place that says it, once: what asks for the key is not reported, too."""
    document = f"kind: signing_key\nname: k\npublic_key: {key}\n"
    asking = route(more="require_signature: [k]")
    found = problems(
        {"all.yaml": "\n---\n".join((PROVIDER, document, asking)), "secret.pub.pem": new_pair("ed25519")[0]}
    )
    assert 1 == len(found), found
    assert said.removeprefix("all.yaml:13: ") in found[0]


def test_a_route_asks_for_keys_that_there_are():
    """By name; a name that is meant is guessed."""
    (found,) = problems(files(route(more="require_signature: [adda]"), KEYS["ada"]))
    assert found.endswith("require_signature.1: there is no signing_key 'adda'; did you mean 'ada'? correct it")


def test_the_statements_of_a_set_are_read():
    """Whether or not a route asks for them."""
    policies = load(signed_set("1.0.0", by="ada"))
    (found,) = policies.attestations
    assert ("desk-1.0.0.dsse.json", "desk/1.0.0") == (found.file, found.statement.release)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a.dsse.json:1: the envelope is not JSON, or has a key twice; sign the release again"),
        ("[]", "a.dsse.json:1: the envelope is not a JSON object; sign the release again"),
        (" " * 300_000, "a.dsse.json:1: the envelope is over 262144 characters; sign the release again"),
    ],
)
def test_what_is_no_statement_is_a_problem(text, said):
    """Of its file, beside all others."""
    (found,) = problems({**files(route()), "a.dsse.json": text})
    assert found.startswith(said)


def test_a_payload_of_another_type_is_a_problem():
    """Though it is signed well: it was signed for something else."""
    changed = json.loads(signature("1.0.0", by="ada"))
    changed["payloadType"] = "text/plain"
    (found,) = problems({**files(route()), "a.dsse.json": json.dumps(changed)})
    assert "a.dsse.json:1: the payload's type is 'text/plain', not application/vnd.in-toto+json; " in found


def test_a_statement_that_no_longer_holds_is_warned_of():
    """Where no route asks for it; of a release that is not there, too."""
    set_of_it = signed_set("1.0.0", by="ada", required=False)
    set_of_it["all.yaml"] = set_of_it["all.yaml"].replace("http://up", "https://up")
    assert () == load(set_of_it).warnings
    set_of_it["all.yaml"] = set_of_it["all.yaml"].replace("atlas-1.0.0-2026-01-01", "atlas-1.0.0-2026-02-02")
    assert [("desk-1.0.0.dsse.json", True)] == [
        (warning.file, "no longer holds: it states" in warning.problem) for warning in load(set_of_it).warnings
    ]
    set_of_it["all.yaml"] = set_of_it["all.yaml"].replace("1.0.0", "1.0.1")
    (warning,) = load(set_of_it).warnings
    assert "the policies declare no release desk/1.0.0" in warning.problem


def test_what_is_attached_is_no_document():
    """Statements and keys, by their names' ends."""
    assert [True, True, False, False] == [is_attached(name) for name in ("a.dsse.json", "a.pub.pem", "a.yaml", "a.pem")]
