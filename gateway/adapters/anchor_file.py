"""An anchor that is a file: each checkpoint is appended to it, perhaps on a disk that the gateway can only add to."""

import asyncio
import os
from pathlib import Path

from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault


class FileAnchor:
    """The port `Anchor` over one file, whose notes an empty line divides."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"file:{path}"

    def __repr__(self) -> str:
        return f"FileAnchor({str(self._path)!r})"

    async def send(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint, and wait until it is on the disk."""
        try:
            await asyncio.to_thread(self._append, checkpoint)
        except OSError as error:
            raise AnchorFault(f"{self.name}: {error.strerror}; let the gateway's user append to it") from error

    def _append(self, checkpoint: Checkpoint) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "ab") as file:
            file.write(f"{checkpoint.note}\n".encode())
            file.flush()
            os.fsync(file.fileno())
