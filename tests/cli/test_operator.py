"""`pinion operator`."""

import json

import yaml

from gateway.core.api_key import digest_of, id_of


def test_json_holds_the_token_and_its_digest(alone):
    """`--json` prints the token and its SHA-256 in hex, and nothing else anywhere; it needs no gateway."""
    result = alone("operator", "key", "ada", "--json")
    told = json.loads(result.stdout)
    assert {"token", "sha256"} == set(told)
    assert digest_of(told["token"]) == told["sha256"]
    assert id_of(told["token"], "operator")
    assert (0, "") == (result.exit_code, result.stderr)


def test_a_person_gets_the_lines_to_paste(alone):
    """Without `--json` the two are printed, and on standard error the document that declares the operator."""
    result = alone("operator", "key", "ada")
    named = dict(line.split() for line in result.stdout.splitlines())
    assert digest_of(named["token"]) == named["sha256"]
    document = yaml.safe_load(result.stderr[result.stderr.index("kind:") :])
    assert ("operator", "ada", [{"sha256": named["sha256"]}]) == (
        document["kind"],
        document["name"],
        document["tokens"],
    )


def test_a_token_is_issued_and_revoked(as_operator):
    """It is good at once for what its operator may, and for nothing after its revocation."""
    issued = as_operator("operator", "token", "bot", "--expires", "30d")
    token = issued.stdout.strip()
    key_id = id_of(token, "operator")
    assert issued.stderr.startswith(f"token {key_id} of bot, until ")
    assert 0 == as_operator("status", token=token).exit_code
    refused = as_operator("reload", token=token)
    assert (2, True) == (refused.exit_code, "operator bot may not do policy.reload" in refused.stderr)
    assert f"token {key_id} of bot: revoked " in as_operator("operator", "revoke", key_id).stdout
    nobody = as_operator("status", token=token)
    assert (2, True) == (nobody.exit_code, "this needs the token of an operator" in nobody.stderr)


def test_json_is_what_the_gateway_answers(as_operator):
    """Of a token, of its revocation, and of all operators."""
    issued = json.loads(as_operator("operator", "token", "bot", "--json").stdout)
    assert "revoked" == json.loads(as_operator("operator", "revoke", issued["key"], "--json").stdout)["state"]
    listed = json.loads(as_operator("operator", "list", "--json").stdout)["operators"]
    assert ["ada", "bob", "bot"] == [each["name"] for each in listed]


def test_operators_are_listed(as_operator):
    """What they are, what they may sign, and how they are known."""
    listed = as_operator("operator", "list").stdout
    rows = {line.split()[0]: line.split() for line in listed.splitlines()[2:]}
    assert ["person", "admin"] == rows["ada"][1:3]
    assert ["person", "author"] == rows["bob"][1:3]
    assert ["service", "author"] == rows["bot"][1:3]
    assert "\n                     signs for security\n" in listed
