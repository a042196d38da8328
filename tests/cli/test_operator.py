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
