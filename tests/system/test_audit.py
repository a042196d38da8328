"""The audit trail of a gateway that lives, dies and lives again: everything is there, signed, and kept elsewhere."""

import json
import os
import signal

import httpx2
from click.testing import CliRunner

from gateway.adapters import ed25519_keys
from gateway.adapters.ed25519_keys import verify
from gateway.cli import main
from gateway.core.checkpoint import is_signed_by, split_notes
from gateway.core.merkle import Edge
from tests.gateway_process import PROVIDERS, running_gateway, wait_until
from tests.tracing import traced

ROUTE = """
kind: route
name: support
releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}, "1.1.0": {model: openai/gpt-4o-2024-11-20}}
serve: "1.1.0"
rollout: {from: "1.0.0", steps: [{percent: 10}, {percent: 50}]}
"""
APP = "kind: app\nname: helpdesk\nkeys: []\n"
FILES = {"providers.yaml": PROVIDERS, "routes.yaml": ROUTE, "apps.yaml": APP}
TOKEN = "operator-token-0123456789"


def pinion(*args, **env):
    """Run a command as a person does."""
    return CliRunner().invoke(main, args, prog_name="pinion", env=env)


def actions(gateway, **asked):
    """What the trail tells, the newest first."""
    return [entry["action"] for entry in gateway.ask("GET", "audit", params=asked)["entries"]]


def lived(tmp_path, more, env):
    """Let a gateway act, deny, reject and roll back, then kill it; its anchor is `tmp_path`/anchor."""
    anchor = tmp_path / "anchor"
    with running_gateway(tmp_path, FILES, *more, env=env) as gateway:
        gateway.act("start", "support", reason="it is time")
        assert 401 == httpx2.post(f"{gateway.admin_url}/admin/v1/rollouts/support/promote", json={}).status_code
        wrong = {"authorization": "Bearer pk-wrong-0123456789"}
        assert 401 == httpx2.get(f"{gateway.url}/v1/models", headers=wrong).status_code
        assert 401 == httpx2.post(f"{gateway.url}/v1/messages", headers=wrong, json={}).status_code
        wait_until(lambda: "access.denied" in actions(gateway))
        wait_until(lambda: 2 == len(actions(gateway, action="app.denied")))
        assert ["GET /v1/models", "POST /v1/messages"] == [each["operation"] for each in gateway.events("app_denied")]
        gateway.write(more="kind: nonsense\n")
        wait_until(lambda: "policy.reject" in actions(gateway))
        (gateway.policies / "more.yaml").unlink()
        gateway.act("rollback", "support", reason="looks wrong")
        wait_until(lambda: "rollout.rollback" in actions(gateway))
        wait_until(lambda: anchor.exists() and len(split_notes(anchor.read_text())) > 0)
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()


def test_a_trail_outlives_its_gateway_and_is_proved_elsewhere(tmp_path):
    """Acts, a denial, a rejected set and a kill: one chain, whose checkpoints the anchor has, and no secret in it."""
    key, anchor, trail = ed25519_keys.new_key("log.test"), tmp_path / "anchor", tmp_path / "trail"
    ed25519_keys.write_key(key, tmp_path / "key")
    more = ["--audit-key", str(tmp_path / "key"), "--audit-anchor", f"file:{anchor}", "--audit-every", "2"]
    env = {"PINION_ADMIN_TOKEN": TOKEN, **traced()}
    lived(tmp_path, more, env)
    with running_gateway(tmp_path, FILES, *more, env=env) as gateway:
        told = actions(gateway, action="rollout")
        assert ("rollout.rollback", "rollout.hold") == (told[0], told[-1])
        assert "rollout.start" in told
        verdict = gateway.ask("GET", "audit/verify")
        assert ("whole", 0, str(key.verifier)) == (verdict["result"], verdict["count"], verdict["key"])
        asked = ("--admin-url", gateway.admin_url)
        assert 0 == pinion("audit", "export", str(trail), *asked, PINION_ADMIN_TOKEN=TOKEN).exit_code
        signed = pinion("audit", "checkpoint", *asked, PINION_ADMIN_TOKEN=TOKEN)
        assert is_signed_by(signed.stdout, key.verifier, verify)
        told = json.loads(pinion("audit", "checkpoint", *asked, "--json", PINION_ADMIN_TOKEN=TOKEN).stdout)
        assert "log.test" == told["origin"]
        proved = pinion("audit", "prove", "1", *asked, "--key", str(key.verifier), PINION_ADMIN_TOKEN=TOKEN)
        assert (0, True) == (proved.exit_code, proved.stdout.startswith("entry 1 is in the audit trail"))
        assert 0 == gateway.stop()
        assert TOKEN not in "".join(gateway.log)
    lines, notes = trail.read_text(), split_notes(anchor.read_text())
    assert not any(secret in lines for secret in (TOKEN, "sk-upstream", "pk-wrong", "PRIVATE"))
    assert all(is_signed_by(note, key.verifier, verify) for note in notes)
    said = pinion("audit", "verify", str(trail), "--key", str(key.verifier), "--json")
    assert (0, True) == (said.exit_code, json.loads(said.stdout)["checkpoints"] > 0)
    assert_a_cut_is_told(tmp_path, lines, ("--key", str(key.verifier), "--anchor", str(anchor)))


def assert_a_cut_is_told(tmp_path, lines, known):
    """Without its last entry, and with an end that fits, an export is told by the anchor, which got one of the end."""
    entries = [line for line in lines.splitlines(keepends=True) if '"entry"' in line]
    kept = "".join(entries[:-1])
    end = json.dumps({"chain": "", "size": len(entries) - 1, "root": root_of(kept)})
    (tmp_path / "cut").write_text(f"{kept}{end}\n")
    assert 0 == pinion("audit", "verify", str(tmp_path / "cut")).exit_code
    said = pinion("audit", "verify", str(tmp_path / "cut"), *known)
    assert (1, True) == (said.exit_code, f"truncated at entry {len(entries)}" in said.stdout)


def root_of(lines):
    """The Merkle root over exported entries."""
    edge = Edge()
    for line in lines.splitlines():
        edge = edge.with_leaf(bytes.fromhex(json.loads(line)["hash"]))
    return edge.root.hex()
