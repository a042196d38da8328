"""`pinion serve` where one folder alone can be written, as in a container whose root file system is read-only.

Root may write everywhere, and a test cannot mount: so whatever Python is asked to write, make, move or remove elsewhere
is refused here as such a system would, and the working folder is one in which nobody can make a file.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from gateway.cli import main

WRITABLE = "CONFINED_TO"
"""The environment variable that names the folder."""

NOWHERE = "/proc"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = frozenset(("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate"))


def confine(folder: Path) -> None:
    """Have this process change nothing outside a folder, from now on."""

    def look(event: str, told: tuple[Any, ...]) -> None:
        is_write = event in CHANGES or (event == "open" and bool(told[2] & WRITES))
        if is_write and isinstance(told[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(told[0]))
            if not Path(path).is_relative_to(folder) and path != os.devnull:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    sys.addaudithook(look)


if __name__ == "__main__":
    os.chdir(NOWHERE)
    confine(Path(os.environ[WRITABLE]).resolve())
    main(["serve", *sys.argv[1:]], prog_name="pinion")
