"""An anchor that is a file: each checkpoint is appended to it, perhaps on a disk that the gateway can only add to."""

import os
import stat
from functools import partial
from pathlib import Path

from gateway.adapters.patient_thread import PatientThread
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault, SetupFault

FILE_SECONDS = 10.0


class FileAnchor:
    """The port `Anchor` over one file, whose notes an empty line divides."""

    def __init__(self, path: Path, patience: float = FILE_SECONDS) -> None:
        """Look at what is there; a file that is not is made later. `patience` is how many seconds its disk may take.

        Raises:
            SetupFault: it is no regular file. A pipe could have every checkpoint wait for a reader.
        """
        self._path = path
        self._patience = patience
        self._writing = PatientThread("pinion-anchor", patience)
        self.name = f"file:{path}"
        if path.exists() and not path.is_file():
            raise SetupFault(f"--audit-anchor {self.name} is not a regular file; name one, or one that is yet to be")

    def __repr__(self) -> str:
        return f"FileAnchor({str(self._path)!r})"

    async def send(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint, and wait until it is on the disk."""
        try:
            await self._writing.run(partial(self._append, checkpoint))
        except TimeoutError as error:
            message = f"its disk has not written it within {self._patience:g} s; look whether it is mounted"
            raise AnchorFault(f"{self.name}: {message}") from error
        except OSError as error:
            raise AnchorFault(f"{self.name}: {error.strerror}; let the gateway's user append to it") from error

    def _append(self, checkpoint: Checkpoint) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)
        with os.fdopen(descriptor, "ab") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise AnchorFault(f"{self.name}: it is not a regular file any more; put one in its place")
            file.write(f"{checkpoint.note}\n".encode())
            file.flush()
            os.fsync(file.fileno())
