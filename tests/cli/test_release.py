"""`pinion release`: keys, signatures, and what is said against them."""

import json
import stat

import pytest
from click.testing import CliRunner

from gateway.adapters.policy_folder import read_folder
from gateway.cli.release import release
from gateway.control.policies import load
from gateway.control.signatures import unsigned
from gateway.control.signing_key import new_pair
from tests.cli.test_check import GOOD

POLICY = GOOD + "require_signature: [team]\n---\nkind: signing_key\nname: team\npublic_key: {file: team.pub.pem}\n"
SIGN = ["sign", "r/1", "--key", "team.pem", "--out", "policies/r.dsse.json"]
VERIFY = ["verify", "policies/r.dsse.json", "--key", "team.pub.pem"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder that holds a policy folder and a pair of keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINION_POLICIES", raising=False)
    private, public = new_pair("ecdsa-p256")
    (tmp_path / "policies").mkdir()
    for name, text in {
        "policies/a.yaml": POLICY,
        "policies/team.pub.pem": public,
        "team.pub.pem": public,
        "team.pem": private,
    }.items():
        (tmp_path / name).write_text(text)
    return lambda *arguments, **more: CliRunner().invoke(release, arguments, **more)


def admitted(tmp_path):
    """Whether the folder's releases are signed as it asks."""
    return not unsigned(load(read_folder(tmp_path / "policies")))


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256"])
def test_a_pair_of_keys_is_made_once(run, tmp_path, algorithm):
    """The private one for its owner's eyes alone; what is there already is left alone."""
    made = run("key", "--out", "new", "--algorithm", algorithm, "--json")
    assert 0 == made.exit_code, made.output
    assert 0o600 == stat.S_IMODE((tmp_path / "new.pem").stat().st_mode)
    assert 64 == len(json.loads(made.stdout)["keyid"])
    before = (tmp_path / "new.pem").read_text()
    again = run("key", "--out", "new")
    assert (2, "pinion: new.pub.pem is there already; name another with --out\n") == (again.exit_code, again.stderr)
    assert before == (tmp_path / "new.pem").read_text()
    assert before not in made.output


def test_a_new_key_says_what_to_do_with_it(run):
    """The document that names it, ready to be pasted."""
    made = run("key", "--out", "ops")
    assert "private key  ops.pem, keep it secret" in made.stdout
    assert made.stderr.endswith("kind: signing_key\nname: ops\npublic_key: {file: ops.pub.pem}\n")


def test_keys_that_cannot_be_written_are_said_to_be(run):
    """With the reason."""
    made = run("key", "--out", "no/such/folder/key")
    assert (2, True) == (made.exit_code, "cannot be written: No such file or directory" in made.stderr)


def test_a_signed_release_is_admitted_and_verified(run, tmp_path):
    """Signed into the policy folder, and checked against it and alone."""
    assert not admitted(tmp_path)
    signed = run(*SIGN)
    assert 0 == signed.exit_code, signed.output
    assert signed.stdout.startswith("r/1 is signed by key ")
    assert admitted(tmp_path)
    verified = run(*VERIFY, "--policies", "policies")
    assert (0, True) == (verified.exit_code, "r/1 is signed by this key, and is what policies holds" in verified.stdout)
    told = json.loads(run(*VERIFY, "--json").stdout)
    assert (True, "r/1", None) == (told["ok"], told["release"], told["compared_with"])


def test_the_key_may_come_from_the_environment(run, tmp_path):
    """And the envelope may go to standard output."""
    private = (tmp_path / "team.pem").read_text()
    signed = run("sign", "r/1", "--key", "env:SIGNING", env={"SIGNING": private})
    assert "application/vnd.in-toto+json" == json.loads(signed.stdout)["payloadType"]
    missing = run("sign", "r/1", "--key", "env:SIGNING")
    assert (2, True) == (missing.exit_code, "env:SIGNING: the environment variable is not set" in missing.stderr)


def test_what_has_changed_since_is_told(run, tmp_path):
    """A signature that is good says nothing of a release that is another now."""
    run(*SIGN)
    (tmp_path / "policies/a.yaml").write_text(POLICY.replace("2024-01-01", "2024-02-02"))
    assert 0 == run(*VERIFY).exit_code
    verified = run(*VERIFY, "--policies", "policies")
    assert 1 == verified.exit_code
    assert verified.stdout.startswith("policies/r.dsse.json: it states ")


def test_another_key_does_not_verify(run):
    """Exit code 1, with the reason."""
    run(*SIGN)
    run("key", "--out", "other")
    verified = run("verify", "policies/r.dsse.json", "--key", "other.pub.pem")
    assert (1, "policies/r.dsse.json: no signature in it is of this key\n") == (verified.exit_code, verified.stdout)


def test_a_file_that_states_nothing_does_not_verify(run, tmp_path):
    """It is no envelope at all."""
    (tmp_path / "x.dsse.json").write_text("{}")
    verified = run("verify", "x.dsse.json", "--key", "team.pub.pem", "--json")
    told = json.loads(verified.stdout)
    assert (1, False, True) == (verified.exit_code, told["ok"], "no DSSE envelope" in told["problems"][0])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sign", "r/2", "--key", "team.pem"], 1, "route r has no release '2'; there is 1"),
        (["sign", "q", "--key", "team.pem"], 1, "no route 'q'; there is r"),
        (["sign", "r/1", "--key", "none.pem"], 2, "none.pem: it cannot be read: No such file or directory"),
        (["sign", "r/1", "--key", "team.pub.pem"], 2, "team.pub.pem: not a private key in PEM without a password"),
        (["verify", "none", "--key", "team.pub.pem"], 2, "none: it cannot be read"),
        (["verify", "none", "--key", "team.pem"], 2, "team.pem: this is a private key; take it away"),
        (["sign", "r/1", "--key", "team.pem", "--out", "team.pem/x"], 1, "team.pem"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, code, said):
    """On one line, with the exit code that fits."""
    result = run(*arguments)
    assert code == result.exit_code
    assert said in result.stderr


def test_policies_that_are_not_acceptable_are_not_signed(run, tmp_path):
    """What is wrong with them `pinion check` says."""
    (tmp_path / "policies/a.yaml").write_text("kind: none\n")
    result = run(*SIGN)
    assert (2, "pinion: policies is not acceptable; see pinion check policies\n") == (result.exit_code, result.stderr)
