"""`pinion app key`."""

import hashlib
import json
import re
import zlib

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.app import ALPHABET, checksum, new_key


def test_a_key_has_its_form_and_its_checksum():
    """A key is `pin_`, 40 drawn characters and 6 that check them, and no two are the same."""
    keys = {new_key() for _ in range(100)}
    assert 100 == len(keys)
    for key in keys:
        drawn, check = re.fullmatch(r"pin_([0-9A-Za-z]{40})([0-9A-Za-z]{6})", key).groups()
        assert checksum(drawn) == check


@given(st.text(ALPHABET, min_size=40, max_size=40))
def test_the_checksum_is_the_crc_in_base_62(drawn):
    """Read back as a number of base 62, the checksum is the CRC-32."""
    number = 0
    for digit in checksum(drawn):
        number = number * 62 + ALPHABET.index(digit)
    assert zlib.crc32(drawn.encode()) == number


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
