"""`pinion compliance`: an export, signed and checked."""

import base64
import json

import pytest

from gateway.cli.compliance import PAYLOAD_TYPE
from gateway.control.signing_key import new_pair, read_private_key


@pytest.fixture
def keys(tmp_path):
    """The files of a pair: the private half, and the public one."""
    private, public = new_pair("ed25519")
    halves = tmp_path / "k.pem", tmp_path / "k.pub.pem"
    for path, text in zip(halves, (private, public), strict=True):
        path.write_text(text)
    return halves


def test_every_clause_is_shown(pinion):
    """With what there is, and the counts."""
    said = pinion("compliance", "export")
    assert (0, "") == (said.exit_code, said.stderr)
    assert "EU AI Act" in said.stdout
    assert "SR 26-2" in said.stdout
    assert "evidence for them, and no claim that they are met" in said.stdout
    told = json.loads(pinion("compliance", "export", "--json").stdout)
    assert {"evidenced", "partial", "gap", "not_applicable"} >= {row["status"] for row in told["rows"]}


def test_a_signed_export_is_checked(pinion, alone, keys, tmp_path):
    """By the public half; a changed one is not what was signed."""
    private, public = keys
    file = tmp_path / "out.json"
    said = pinion("compliance", "export", str(file), "--key", str(private))
    assert said.stdout.endswith(f"written to {file}\n")
    assert alone("compliance", "verify", str(file), "--key", str(public)).stdout.startswith("signed by ")

    envelope = json.loads(file.read_text())
    told = json.loads(base64.b64decode(envelope["payload"]))
    told["rows"][0]["status"] = "evidenced"
    envelope["payload"] = base64.b64encode(json.dumps(told).encode()).decode()
    file.write_text(json.dumps(envelope))
    changed = alone("compliance", "verify", str(file), "--key", str(public))
    assert (1, True) == (changed.exit_code, "is not signed by that key, or was changed since" in changed.stderr)


def test_another_signed_thing_is_no_export(alone, keys, tmp_path):
    """Its type is part of what is signed."""
    private, public = keys
    file = tmp_path / "other.json"
    file.write_text(json.dumps(read_private_key(private.read_text()).sign("text/plain", b"{}").to_json()))
    said = alone("compliance", "verify", str(file), "--key", str(public))
    assert (1, True) == (said.exit_code, "is signed as text/plain" in said.stderr)
    assert PAYLOAD_TYPE not in said.stderr


def test_what_cannot_be_used_is_misuse(pinion, alone, keys, tmp_path):
    """A file that is no envelope, a key that is none, a folder that is not there."""
    private, public = keys
    file = tmp_path / "x.json"
    file.write_text("{}")
    said = alone("compliance", "verify", str(file), "--key", str(public))
    assert (2, True) == (said.exit_code, "is no DSSE envelope" in said.stderr)
    assert 2 == pinion("compliance", "export", "--key", str(file)).exit_code
    missing = pinion("compliance", "export", str(tmp_path / "none" / "x.json"), "--key", str(private))
    assert (1, True) == (missing.exit_code, "No such file" in missing.stderr)
