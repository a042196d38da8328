"""`pinion plan`: what a folder of policies would mean, against a gateway."""

import json
import shutil

import pytest


@pytest.fixture
def folder(gateway, tmp_path):
    """A copy of the policies that the gateway serves."""
    copied = tmp_path / "policies"
    shutil.copytree(gateway.policies, copied)
    return copied


def change(folder, old, new):
    """Write something else into the routes of a folder."""
    file = folder / "routes.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_policies_that_serve_would_change_nothing(pinion, folder):
    """Exit code 0, and it is said."""
    result = pinion("plan", str(folder))
    assert (0, "") == (result.exit_code, result.stderr)
    assert ["nothing would change", f"{folder}: would be accepted"] == result.stdout.splitlines()[-2:]


def test_what_would_be_registered_started_and_removed_is_told(pinion, folder):
    """New versions with their digests, routes with what would happen to them, and the gateway serves as before."""
    change(folder, "name: steady\n", "name: steadier\n")
    change(folder, "owner: support-team", "owner: desk-team")
    result = pinion("plan", str(folder))
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert 0 == result.exit_code
    assert any(line.startswith("steadier/1.0.0 release ") and line.endswith(" registers") for line in lines)
    assert "steadier serves for the first time 1.0.0" in lines
    assert "steady is removed 1.0.0" in lines
    assert "steady/1.0.0" not in pinion("plan", str(folder), "--json").stdout
    assert "steadier" not in pinion("status").stdout


def test_a_changed_line_would_start_a_rollout(pinion, folder):
    """From one release to another."""
    change(
        folder,
        'releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}}\nserve: "1.0.0"',
        'releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}, "2": {model: openai/gpt-4o-2024-11-20}}\nserve: "2"',
    )
    out = [" ".join(line.split()) for line in pinion("plan", str(folder)).stdout.splitlines()]
    assert "steady starts a rollout 1.0.0 to 2" in out


def test_what_is_new_and_means_nothing_is_said(pinion, folder):
    """Another file, and the same routes."""
    (folder / "more.yaml").write_text("kind: app\nname: more\nkeys: []\n", encoding="utf-8")
    assert "nothing would be registered, started or moved" in pinion("plan", str(folder)).stdout


def test_warnings_are_told(pinion, folder):
    """As `pinion check` tells them, and the folder would be accepted all the same."""
    (folder / "more.yaml").write_text(
        'kind: route\nname: loose\nreleases: {"1": {model: openai/gpt-4o}}\nserve: "1"\n', encoding="utf-8"
    )
    result = pinion("plan", str(folder))
    assert 0 == result.exit_code
    assert f"{folder}/more.yaml:3: warning: route loose: releases.1.model: 'gpt-4o' has no date or version" in (
        result.stdout
    )


def test_what_would_be_refused_is_told(pinion, folder):
    """Each problem at its place, and exit code 1: what has served cannot change its content."""
    change(folder, "gpt-4o-2024-08-06", "gpt-4o-2024-08-06, params: {temperature: 0.5}")
    result = pinion("plan", str(folder))
    first, *_, last = result.stdout.splitlines()
    assert (1, f"{folder}: would be refused") == (result.exit_code, last)
    assert first.startswith(f"{folder}/routes.yaml:")
    assert "versions are immutable" in first
    assert not json.loads(pinion("plan", str(folder), "--json").stdout)["accepted"]


def test_a_folder_that_cannot_be_read_is_refused(pinion, tmp_path):
    """By what the gateway would find; as JSON, too."""
    (tmp_path / "a.yaml").write_bytes(b"\xff\xff")
    result = pinion("plan", str(tmp_path))
    assert (1, f"{tmp_path}: would be refused") == (result.exit_code, result.stdout.splitlines()[-1])
    told = json.loads(pinion("plan", str(tmp_path), "--json").stdout)
    assert (False, "a.yaml") == (told["accepted"], told["problems"][0]["file"])


def test_the_folder_may_come_from_the_environment(pinion, folder):
    """As the gateway's own option does; and one that is not there is misuse."""
    assert 0 == pinion("plan", PINION_POLICIES=str(folder)).exit_code
    assert 2 == pinion("plan", str(folder / "nowhere")).exit_code
