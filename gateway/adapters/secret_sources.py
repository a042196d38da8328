"""Credentials from where they are kept: the environment and files. A value never appears in a message."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from gateway.core.errors import SetupFault

MAX_SECRET_BYTES = 64 * 1024


class SecretSources:
    """The port `Secrets`, over `env:NAME` and `file:PATH`.

    Both are read anew each time, so that a rotated file is seen; who reads often keeps the value.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is where `env:` looks names up."""
        self._environment = environment

    def read(self, source: str) -> str:
        """Read a credential by its source, `env:NAME` or `file:PATH`; a file's last newline is no part of it.

        Raises:
            SetupFault: there is none, or what is there cannot go into a header: it is empty, longer than
                64 KiB, or holds control characters. The message names the source and never a value, so that
                of a literal in the source's place it shows nothing either.
        """
        kind, _, name = source.partition(":")
        if kind == "env" and name:
            return _checked(source, self._from_environment(name))
        if kind == "file" and name:
            return _checked(source, _from_file(Path(name)))
        raise SetupFault("credential: its source is not one that Pinion knows; write env:NAME or file:PATH")

    def _from_environment(self, name: str) -> str:
        value = self._environment.get(name)
        if value is None:
            raise SetupFault(f"credential env:{name}: the environment variable is not set; set it and start again")
        return value


def _from_file(path: Path) -> str:
    """Read a regular file's text: a pipe or device is refused, since reading one could wait for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SetupFault(f"credential file:{path}: not a regular file; name the file that holds the secret")
            data = file.read(MAX_SECRET_BYTES + 3)  # room for the newline, and one byte more to see too many
        text = data.decode()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not UTF-8 text, or not a path"
        raise SetupFault(f"credential file:{path}: {reason}; make it a text file that the gateway may read") from error
    return text.removesuffix("\n").removesuffix("\r")


def _checked(source: str, value: str) -> str:
    if not value:
        raise SetupFault(f"credential {source}: empty; put the secret there")
    if len(value.encode("utf-8", "surrogateescape")) > MAX_SECRET_BYTES:
        raise SetupFault(f"credential {source}: over {MAX_SECRET_BYTES} bytes; a credential is shorter")
    if not value.isprintable():
        raise SetupFault(f"credential {source}: holds a control character or a line break; remove it")
    return value
