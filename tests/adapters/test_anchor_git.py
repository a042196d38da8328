"""An anchor that is a git repository."""

import os
import shutil
import subprocess

import pytest

from gateway.adapters.anchor_git import FILE, GitAnchor
from gateway.core.errors import AnchorFault
from tests.adapters.anchor_contract import checkpoint, holds

pytestmark = pytest.mark.anyio


def git(path, *arguments):
    """What git says in a repository."""
    return subprocess.run(["git", "-C", path, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def path(tmp_path):
    """An empty repository."""
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "--quiet")
    return made


def notes(path):
    """The checkpoint at each commit, the oldest first."""
    commits = git(path, "log", "--reverse", "--format=%H").split()
    return [git(path, "show", f"{commit}:{FILE}") for commit in commits]


async def test_it_is_an_anchor(path):
    """One commit a checkpoint; one that is there already makes none."""
    anchor = GitAnchor(path)
    assert f"GitAnchor('{path}')" == repr(anchor)
    await holds(anchor, lambda: notes(path), lambda: shutil.rmtree(path))


async def test_nobodys_hooks_are_run_and_the_environment_points_nowhere(path, monkeypatch):
    """A hook that refuses, and a GIT_DIR of whoever started the gateway, change nothing."""
    hook = path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    await GitAnchor(path).send(checkpoint(1))
    monkeypatch.delenv("GIT_DIR")
    assert [checkpoint(1).note] == notes(path)
    assert "1 entries" in git(path, "log", "--format=%s")


async def test_what_git_says_is_the_fault(tmp_path):
    """A folder that is no repository; and a machine without git."""
    with pytest.raises(AnchorFault, match="not a git repository"):
        await GitAnchor(tmp_path).send(checkpoint(1))


async def test_a_machine_without_git(path, monkeypatch, tmp_path):
    """It is said that it should be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AnchorFault, match="git cannot be run: No such file or directory; install it"):
        await GitAnchor(path).send(checkpoint(1))


async def test_a_git_that_never_ends_is_given_up(path, monkeypatch, tmp_path):
    """It is killed."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    with pytest.raises(AnchorFault, match=r"git has not ended within 0\.1 s"):
        await GitAnchor(path, patience=0.1).send(checkpoint(1))


async def test_a_disk_that_hangs_is_a_fault_after_a_while(path):
    """As where the file is a pipe that nobody reads: no checkpoint waits for it for good."""
    os.mkfifo(path / FILE)
    anchor = GitAnchor(path, patience=0.05)
    with pytest.raises(AnchorFault, match=f"its disk has not written {FILE} within 0.05 s"):
        await anchor.send(checkpoint(1))
    os.close(os.open(path / FILE, os.O_RDWR))  # there is a reader, for a moment
    anchor._writing._last.exception(20)  # it may have been cut off
