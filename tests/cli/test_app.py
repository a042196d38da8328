"""`pinion app key`."""

import hashlib
import json
import re

import httpx2
import yaml

from gateway.cli.app import new_key
from gateway.core.api_key import checksum
from tests.api.office import token_of


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


def status_with(gateway, key):
    """The status with which the applications' API answers a key."""
    return httpx2.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"}).status_code


def test_a_key_is_issued_rotated_listed_and_revoked(as_operator, staffed_gateway):
    """The key alone is on standard output; it is good at once, in the overlap too, and not after its revocation."""
    issued = as_operator("app", "issue", "helpdesk", "--expires", "90d")
    first = issued.stdout.strip()
    key_id = first.split("_")[1]
    assert re.fullmatch(
        rf"key {key_id} of helpdesk, until \S+ \S+ UTC. It is shown this once: Pinion keeps its digest alone.\n",
        issued.stderr,
    )
    rotated = as_operator("app", "rotate", "helpdesk", key_id, "--overlap", "1d")
    second = rotated.stdout.strip()
    assert f"key {key_id} lasts until " in rotated.stderr
    assert [200, 200, 401] == [status_with(staffed_gateway, key) for key in (first, second, f"{first}x")]
    listed = as_operator("app", "keys", "helpdesk").stdout
    assert f"good, now {second.split('_')[1]}" in listed
    revoked = as_operator("app", "revoke", key_id)
    assert (0, True) == (revoked.exit_code, revoked.stdout.startswith(f"key {key_id} of helpdesk: revoked "))
    assert [401, 200] == [status_with(staffed_gateway, key) for key in (first, second)]
    log = "".join(staffed_gateway.log)
    assert key_id in log
    assert not [key for key in (first, second) if key in log]


def test_the_answers_are_json_where_it_is_asked_for(as_operator):
    """What the gateway answers, secret included."""
    issued = json.loads(as_operator("app", "issue", "helpdesk", "--json").stdout)
    rotated = json.loads(as_operator("app", "rotate", "helpdesk", issued["key"], "--expires", "2d", "--json").stdout)
    assert (issued["key"], 172_800.0) == (rotated["replaces"]["key"], rotated["expires_at"] - rotated["created_at"])
    listed = json.loads(as_operator("app", "keys", "--json").stdout)["keys"]
    assert {issued["key"], rotated["key"]} <= {key["key"] for key in listed}
    assert "revoked" == json.loads(as_operator("app", "revoke", rotated["key"], "--json").stdout)["state"]


def test_what_is_not_there_is_a_no(as_operator):
    """Exit code 1, and a line that says what there is."""
    for args, said in (
        (("issue", "nobody"), "no app 'nobody' is declared; there is helpdesk"),
        (("revoke", "nothing"), "no issued key 'nothing' of an app"),
    ):
        result = as_operator("app", *args)
        assert (1, "") == (result.exit_code, result.stdout)
        assert said in result.stderr


def test_who_may_not_issue_is_told_so(as_operator):
    """Exit code 2, with the role that it takes."""
    result = as_operator("app", "issue", "helpdesk", token=token_of("bob"))
    assert 2 == result.exit_code
    assert "pinion: operator bob may not do key.issue; it takes the role admin\n" == result.stderr


def test_no_keys_are_said_to_be_none(pinion):
    """A gateway that has issued none."""
    assert "no key was issued; declared ones stand in the policy files\n" == pinion("app", "keys").stdout
