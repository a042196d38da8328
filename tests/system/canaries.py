"""Secrets that are found wherever they come out: in plain, in base64 at every offset, and escaped as in URLs."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from urllib.parse import quote

CORE_BYTES = 20
"""How much of a secret is looked for: what has come out cut short has come out."""


def canary(name: str, length: int = CORE_BYTES) -> str:
    """A secret that no other text holds, with signs that URLs escape."""
    return f"/{hashlib.sha256(name.encode()).hexdigest()[:length]}+"


def forms(secret: str) -> Iterator[bytes]:
    """Every form in which a secret is looked for."""
    for end in (len(secret), len(secret) - CORE_BYTES):
        core = secret[max(0, end - CORE_BYTES) : end]
        if len(core) == CORE_BYTES:
            yield from _written(core)


def _written(core: str) -> Iterator[bytes]:
    yield core.encode()
    yield quote(core, safe="").encode()
    for offset in range(3):  # base64 reads three bytes at a time, wherever in a text they begin
        encoded = base64.b64encode(b"\0" * offset + core.encode())
        whole = encoded[4 if offset else 0 : -4]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def found(sinks: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which sinks hold which secrets, by their names."""
    looked = {name: set(forms(secret)) for name, secret in secrets.items()}
    return [
        (sink, name)
        for sink, content in sinks.items()
        for name, shapes in looked.items()
        if any(shape in content for shape in shapes)
    ]
