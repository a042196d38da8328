"""The address of a fleet bus: what of it is accepted, and what of it may be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from gateway.core.errors import SetupFault

FORM = "redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], or rediss:// for TLS"

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""What may be asked for behind the `?`: files, and nothing that would change how long a command may take."""


@dataclass(frozen=True, slots=True)
class FleetAddress:
    """A Redis server: its URL, which may hold a password, and its `name`, which does not."""

    url: str = field(repr=False)
    name: str

    @classmethod
    def read(cls, url: str) -> Self:
        """Take an address apart.

        Raises:
            SetupFault: it is not one; what is said of it holds no part that may be secret.
        """
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in ("redis", "rediss"):
            raise SetupFault(f"--fleet is not the address of a Redis; use {FORM}")
        try:
            parts = urlsplit(url)
            asked: Mapping[str, str] = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            port = parts.port or 6379
        except ValueError as error:
            raise SetupFault(f"--fleet is not an address; use {FORM}") from error
        number = parts.path.removeprefix("/") or "0"
        if not parts.hostname or not number.isdecimal() or parts.fragment:
            raise SetupFault(f"--fleet names no server, or no database of it by number; use {FORM}")
        unknown = sorted(set(asked) - set(FILES if scheme == "rediss" else ()))
        if unknown:
            raise SetupFault(f"--fleet asks for {unknown[0][:50]}; a rediss:// address takes {', '.join(FILES)} alone")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(url, f"{scheme}://{host}:{port}/{number}")
