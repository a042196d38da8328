"""`pinion audit`, against a gateway and without one."""

import json

import pytest

from gateway.adapters import ed25519_keys
from gateway.cli.audit import AT_ONCE, _watched, checked
from gateway.core.audit import TreeHead
from gateway.core.audit_export import line_of
from gateway.core.checkpoint import signed_checkpoint
from tests.core.audit_chain import altered, chain, edge_of
from tests.core.test_audit_proof import KEY as PROOF_KEY
from tests.core.test_audit_proof import proof_of

KEY = ed25519_keys.new_key("log.test")


def export_of(told, *, size=None, checkpoints=()):
    """The lines of an export of entries."""
    edge = edge_of(told)
    end = TreeHead("c0ffee", edge.size if size is None else size, edge.root.hex())
    return "".join(map(line_of, (*checkpoints, *told, end)))


def checkpoint_of(told):
    """A signed checkpoint of entries."""
    edge = edge_of(told)
    return signed_checkpoint(
        "log.test", edge.size, edge.root.hex(), KEY.verifier, lambda message: ed25519_keys.sign(KEY, message)
    )


def test_what_was_done_is_shown(pinion):
    """As a table, filtered, or as the gateway answers it."""
    said = pinion("audit", "show", "--action", "policy.accept")
    assert (0, "") == (said.exit_code, said.stderr)
    assert "policy.accept" in said.stdout
    told = json.loads(pinion("audit", "show", "--json", "--after", "0", "--limit", "2").stdout)
    assert [1, 2] == [entry["seq"] for entry in told["entries"]]
    assert "no entry fits\n" == pinion("audit", "show", "--actor", "nobody", "--since", "1h").stdout


def test_a_whole_trail_exits_0(pinion, alone, tmp_path):
    """Asked of the gateway, and of its export, which needs none; the export is an entry."""
    assert 0 == pinion("audit", "verify").exit_code
    assert "the audit trail is whole" in pinion("audit", "verify").stdout
    assert 0 == pinion("audit", "export", str(tmp_path / "trail.jsonl")).exit_code
    lines = (tmp_path / "trail.jsonl").read_text()
    assert "audit.export" in json.loads(lines.splitlines()[-2])["entry"]
    offline = alone("audit", "verify", str(tmp_path / "trail.jsonl"), "--json")
    assert (0, "whole") == (offline.exit_code, json.loads(offline.stdout)["result"])


def test_a_checkpoint_is_there_once_there_is_a_key(pinion):
    """Without one the answer is no."""
    refused = pinion("audit", "checkpoint")
    assert (1, "--audit-key" in refused.stderr) == (refused.exit_code, True)
    other = pinion("audit", "verify", "--key", str(KEY.verifier), "--json")
    assert (0, str(KEY.verifier)) == (other.exit_code, json.loads(other.stdout)["key"])


def test_somebody_is_forgotten(pinion):
    """Who is not known is a no."""
    assert 1 == pinion("audit", "forget", "eve", "--reason", "asked to").exit_code
    assert 2 == pinion("audit", "forget", "eve").exit_code
    pinion("rollout", "start", "paused")
    assert "local is forgotten" in pinion("audit", "forget", "local", "--reason", "asked to").stdout
    assert json.loads(pinion("audit", "show", "--json", "--action", "audit.forget").stdout)["entries"]
    started = json.loads(pinion("audit", "show", "--json", "--action", "rollout.start").stdout)["entries"]
    assert {None} == {entry["actor"] for entry in started}
    assert {"forgotten": True} == json.loads(pinion("audit", "forget", "local", "--reason", "again", "--json").stdout)
    assert 0 == pinion("audit", "verify").exit_code


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (export_of([*chain(4)[:2], altered(chain(4)[2]), chain(4)[3]]), "modified"),
        (export_of([chain(4)[0], *chain(4)[2:]], size=4), "missing"),
        (export_of([*chain(4), chain(4)[3]], size=4), "duplicated"),
        (export_of(chain(4), size=6), "truncated"),
        ("".join(map(line_of, chain(4))), "truncated"),
    ],
)
def test_a_tampered_export_exits_1(alone, tmp_path, lines, kind):
    """With what is wrong, where, and what to do."""
    (tmp_path / "trail.jsonl").write_text(lines)
    said = alone("audit", "verify", str(tmp_path / "trail.jsonl"))
    assert 1 == said.exit_code
    assert f"\n{kind} at entry " in said.stdout
    assert said.stdout.startswith("the audit trail is not whole: 1 finding")


def test_anchors_prove_what_the_trail_hides(alone, tmp_path):
    """A trail that was cut off and signed anew is told by a checkpoint that was kept elsewhere."""
    (tmp_path / "trail.jsonl").write_text(export_of(chain(3), checkpoints=[checkpoint_of(chain(3))]))
    (tmp_path / "anchor").write_text(f"{checkpoint_of(chain(2)).note}\n{checkpoint_of(chain(5)).note}\n")
    command = ["audit", "verify", str(tmp_path / "trail.jsonl"), "--key", str(KEY.verifier)]
    assert 0 == alone(*command).exit_code
    said = alone(*command, "--anchor", str(tmp_path / "anchor"))
    assert 1 == said.exit_code
    assert "truncated at entry 4: entries 4 to 5 are cut off the end" in said.stdout
    (tmp_path / "anchor").write_text("nonsense\n")
    refused = alone(*command, "--anchor", str(tmp_path / "anchor"))
    assert (2, True) == (refused.exit_code, "is no file of checkpoints" in refused.stderr)
    assert 2 == alone("audit", "verify", "--anchor", str(tmp_path / "anchor")).exit_code


def test_what_is_no_export_is_misuse(alone, tmp_path):
    """With the line; and a key that is none, too."""
    for text, place in (("", None), ("{}\n", 1), (export_of(chain(1)) + "nonsense\n", 3)):
        (tmp_path / "trail.jsonl").write_text(text)
        said = alone("audit", "verify", str(tmp_path / "trail.jsonl"))
        if place is None:
            assert (1, True) == (said.exit_code, "ends without its last line" in said.stdout)
        else:
            assert (2, True) == (said.exit_code, f"trail.jsonl:{place}: no line of an export" in said.stderr)
    (tmp_path / "trail.jsonl").write_bytes(b"\xff\n")
    assert 2 == alone("audit", "verify", str(tmp_path / "trail.jsonl")).exit_code
    assert 2 == alone("audit", "verify", "--key", "nonsense").exit_code


def test_a_long_export_is_checked_in_pieces():
    """However many lines there are."""
    told = chain(AT_ONCE + 5)
    end = TreeHead("c0ffee", len(told), edge_of(told).root.hex())
    assert (True, AT_ONCE + 5) == ((verdict := checked([*told, end], [], None)).is_whole, verdict.entries)


def test_a_key_is_made_once(alone, tmp_path):
    """Its verifier key is printed, the key itself never; a file that is there is left alone."""
    said = alone("audit", "key", str(tmp_path / "key"), "--name", "example.com/pinion")
    assert (0, "") == (said.exit_code, said.stderr)
    assert str(ed25519_keys.read_key(tmp_path / "key").verifier) == said.stdout.strip()
    assert "PRIVATE" not in said.output
    again = alone("audit", "key", str(tmp_path / "key"))
    assert (2, True) == (again.exit_code, "is there already" in again.stderr)
    told = json.loads(alone("audit", "key", str(tmp_path / "other"), "--json").stdout)
    assert told["verifier_key"].startswith("pinion+")


def test_whoever_watches_an_export_is_told_how_far_it_is(capsys):
    """On standard error, so that the lines stay alone."""
    assert [b"a\nb\n", b"c\n"] == list(_watched(iter([b"a\nb\n", b"c\n"]), is_watched=True))
    assert "exported 3 lines" in capsys.readouterr().err


def test_a_proof_is_checked_without_a_gateway(alone, tmp_path):
    """By the key, or by its text alone; what --json prints may be checked again."""
    (tmp_path / "proof").write_text(json.dumps(proof_of().to_json()))
    key = str(PROOF_KEY.verifier)
    said = alone("audit", "prove", "--file", str(tmp_path / "proof"), "--key", key)
    assert (0, "") == (said.exit_code, said.stderr)
    assert said.stdout.startswith("entry 3 is in the audit trail\n")
    assert "by log.test" in said.stdout
    bare = alone("audit", "prove", "--file", str(tmp_path / "proof"))
    assert (0, True) == (bare.exit_code, "not checked; --key checks it" in bare.stdout)
    again = alone("audit", "prove", "--file", str(tmp_path / "proof"), "--key", key, "--json")
    (tmp_path / "again").write_text(again.stdout)
    assert ("proven", None) == tuple(json.loads(again.stdout)[name] for name in ("result", "why_not"))
    assert 0 == alone("audit", "prove", "--file", str(tmp_path / "again"), "--key", key).exit_code


def test_a_proof_that_proves_nothing_exits_1(alone, tmp_path):
    """And what is no proof, or asked for in two ways, 2."""
    (tmp_path / "proof").write_text(json.dumps({**proof_of().to_json(), "proof": []}))
    said = alone("audit", "prove", "--file", str(tmp_path / "proof"))
    assert (1, True) == (said.exit_code, said.stdout.startswith("entry 3 is not proven: the hashes do not lead"))
    for text, why in (("{}", "a proof has seq, entry, proof"), ("{", "it is not JSON")):
        (tmp_path / "none").write_text(text)
        said = alone("audit", "prove", "--file", str(tmp_path / "none"))
        assert (2, True) == (said.exit_code, why in said.stderr)
    assert 2 == alone("audit", "prove").exit_code
    assert 2 == alone("audit", "prove", "1", "--file", str(tmp_path / "proof")).exit_code


def test_without_a_checkpoint_nothing_is_proved(pinion):
    """The answer is no, and says how to get one."""
    refused = pinion("audit", "prove", "1", "--size", "7")
    assert (1, "no checkpoint of 7 entries is signed" in refused.stderr) == (refused.exit_code, True)
