"""`pinion app key`."""

import hashlib
import json
import re

import yaml

from gateway.cli.app import new_key
from gateway.core.api_key import checksum


def test_a_key_has_its_form_and_its_checksum():
    """A key is `pin_`, 40 drawn characters and 6 that check them, and no two are the same."""
    keys = {new_key() for _ in range(100)}
    assert 100 == len(keys)
    for key in keys:
        drawn, check = re.fullmatch(r"pin_([0-9A-Za-z]{40})([0-9A-Za-z]{6})", key).groups()
        assert checksum(drawn) == check


def test_json_holds_the_key_and_its_digest(alone):
    """`--json` prints the key and its SHA-256 in hex, and nothing else anywhere."""
    result = alone("app", "key", "helpdesk", "--json")
    told = json.loads(result.stdout)
    assert {"key", "sha256"} == set(told)
    assert hashlib.sha256(told["key"].encode()).hexdigest() == told["sha256"]
    assert (0, "") == (result.exit_code, result.stderr)


def test_a_person_gets_the_lines_to_paste(alone):
    """Without `--json` the two are printed, and on standard error the document that declares the application."""
    result = alone("app", "key", "helpdesk")
    named = dict(line.split() for line in result.stdout.splitlines())
    assert hashlib.sha256(named["key"].encode()).hexdigest() == named["sha256"]
    assert "shown this once" in result.stderr
    document = yaml.safe_load(result.stderr[result.stderr.index("kind:") :])
    assert {"kind": "app", "name": "helpdesk", "keys": [{"sha256": named["sha256"]}]} == document
