"""An anchor that is a git repository on this machine: each checkpoint is a commit, for others to fetch and keep."""

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path

from gateway.adapters.patient_thread import PatientThread
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault

FILE = "checkpoint"
"""The file in the repository that holds the latest checkpoint; its history holds the others."""

GIT_SECONDS = 20.0

_SETTINGS = (
    "user.name=Pinion",
    "user.email=pinion@invalid",
    "commit.gpgsign=false",
    f"core.hooksPath={os.devnull}",
)
"""What a commit of ours says, and that it runs nobody's hooks."""


class GitAnchor:
    """The port `Anchor` over the work tree of one repository."""

    def __init__(self, path: Path, patience: float = GIT_SECONDS) -> None:
        """`patience` is how many seconds git may take, and the disk before it."""
        self._path = path
        self._patience = patience
        self._writing = PatientThread("pinion-anchor", patience)
        self.name = f"git:{path}"

    def __repr__(self) -> str:
        return f"GitAnchor({str(self._path)!r})"

    async def send(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint; one that is there already needs none."""
        try:
            await self._writing.run(partial((self._path / FILE).write_text, checkpoint.note, encoding="utf-8"))
        except TimeoutError as error:
            message = f"its disk has not written {FILE} within {self._patience:g} s; look whether it is mounted"
            raise AnchorFault(f"{self.name}: {message}") from error
        except OSError as error:
            raise AnchorFault(
                f"{self.name}: {error.strerror}; make it with git init, for the gateway's user"
            ) from error
        await self._git("add", "--", FILE)
        if await self._git("status", "--porcelain", "--", FILE):
            await self._git("commit", "--quiet", "--message", f"{checkpoint.size} entries", "--", FILE)

    async def _git(self, *arguments: str) -> str:
        """Run git in the repository, and give what it says."""
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            process = await asyncio.create_subprocess_exec(
                "git", "-C", str(self._path), *settings, *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**environment, "GIT_TERMINAL_PROMPT": "0"},
            )  # fmt: skip
        except OSError as error:
            raise AnchorFault(f"{self.name}: git cannot be run: {error.strerror}; install it") from error
        try:
            async with asyncio.timeout(self._patience):
                said, complaint = await process.communicate()
        except TimeoutError as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise AnchorFault(f"{self.name}: git has not ended within {self._patience:g} s") from error
        if process.returncode:
            lines = complaint.decode(errors="replace").splitlines()
            raise AnchorFault(f"{self.name}: {lines[0] if lines else 'git failed'}")
        return said.decode(errors="replace")
