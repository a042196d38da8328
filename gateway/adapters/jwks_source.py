"""The public keys of identity providers: JSON Web Key Sets (RFC 7517) from files and https addresses.

A file is read anew when it has changed, and one that cannot be read holds no keys. What was fetched is good for ten
minutes; while the address does not answer, for a day. A key that is not in the set has it fetched again, at most every
30 seconds.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.core.identity_provider import IdentityProvider
from gateway.core.ports import Clock, Journal

FRESH_SECONDS = 600.0
STALE_SECONDS = 86_400.0
REFRESH_SECONDS = 30.0
"""How long an unknown key, or an address that did not answer, is not asked about again."""

PATIENCE_SECONDS = 5.0
"""How long a connection, or a piece of the answer, may take."""

WHOLE_SECONDS = 10.0
"""How long the whole of an answer may take."""

MOST_BYTES = 256 * 1024
MOST_KEYS = 100

Jwk = Mapping[str, Any]
"""One key of a set, as its provider wrote it."""


class Unreadable(Exception):
    """A set cannot be had now; the message says why and quotes nothing of it."""


@dataclass(slots=True)
class _Held:
    """What is held of one provider's set; times in monotonic seconds, the version that of a file."""

    provider: IdentityProvider
    keys: tuple[Jwk, ...] = ()
    good_at: float | None = None
    tried_at: float | None = None
    version: object = None
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class JwksSource:
    """Gives the keys of identity providers. All reading and fetching is done beside the serving loop."""

    def __init__(self, journal: Journal, clock: Clock, patience: float = WHOLE_SECONDS) -> None:
        """`patience` is how long an answer may take, in seconds."""
        self._journal = journal
        self._clock = clock
        self._patience = patience
        self._held: dict[str, _Held] = {}

    def __repr__(self) -> str:
        return f"<JwksSource of {len(self._held)} providers>"

    async def keys(self, provider: IdentityProvider, wanted: str | None) -> tuple[Jwk, ...]:
        """Give the keys of a provider with the id `wanted`, or all of them where that is None; perhaps none."""
        held = self._held.get(provider.issuer)
        if held is None or held.provider != provider:
            held = self._held[provider.issuer] = _Held(provider)
        if provider.jwks.startswith("file:"):
            async with held.one_at_a_time:
                await self._read(held)
        elif self._is_wanting(held, wanted):  # who needs nothing new does not wait for those who do
            async with held.one_at_a_time:
                if self._is_wanting(held, wanted):
                    await self._fetch(held)
        return _named(held.keys, wanted)

    async def _read(self, held: _Held) -> None:
        path = Path(held.provider.jwks.removeprefix("file:"))
        try:
            held.keys, held.version = await asyncio.to_thread(_from_file, path, held.version, held.keys)
        except Unreadable as error:
            held.keys, held.version = (), None
            self._say(held, str(error))

    def _is_wanting(self, held: _Held, wanted: str | None) -> bool:
        """Say whether a set should be fetched for a key; what is too old to be used is let go of."""
        now = self._clock.monotonic()
        if held.good_at is not None and now - held.good_at >= STALE_SECONDS:
            held.keys = ()
        if held.tried_at is not None and now - held.tried_at < REFRESH_SECONDS:
            return False
        is_fresh = held.good_at is not None and now - held.good_at < FRESH_SECONDS
        return not (is_fresh and _named(held.keys, wanted))

    async def _fetch(self, held: _Held) -> None:
        now = self._clock.monotonic()
        try:
            held.keys = await asyncio.to_thread(_from_address, held.provider, self._patience)
            held.good_at = now
        except Unreadable as error:
            self._say(held, str(error))
        finally:
            held.tried_at = now  # not before: whoever asks meanwhile waits for what comes

    def _say(self, held: _Held, reason: str) -> None:
        provider = held.provider
        self._journal.event(
            "identity_keys_away", level="error", identity_provider=provider.name, jwks=provider.jwks, message=reason
        )


def _named(keys: tuple[Jwk, ...], wanted: str | None) -> tuple[Jwk, ...]:
    return keys if wanted is None else tuple(key for key in keys if key.get("kid") == wanted)


def _from_file(path: Path, version: object, keys: tuple[Jwk, ...]) -> tuple[tuple[Jwk, ...], object]:
    """Read a file, unless it is still the one of `version`; give its keys and its version."""
    try:
        now = path.stat()
        found = now.st_mtime_ns, now.st_size, now.st_ino
        if found == version:
            return keys, version
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"its file cannot be read: {error.strerror}") from error
    return _keys_in(raw), found


def _from_address(provider: IdentityProvider, patience: float) -> tuple[Jwk, ...]:
    """Fetch a set; redirects are not followed, and no proxy of the environment is used."""
    import httpx2  # noqa: PLC0415 - needed by few gateways, and not until somebody asks

    until = time.monotonic() + patience
    raw = bytearray()
    try:
        trust = True if provider.ca_file is None else ssl.create_default_context(cafile=provider.ca_file)
        with (
            httpx2.Client(verify=trust, timeout=PATIENCE_SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", provider.jwks, headers={"accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                raise Unreadable(f"its address answers with status {answer.status_code}")
            for piece in answer.iter_bytes():
                raw += piece
                if time.monotonic() > until:
                    raise Unreadable("its address takes too long to answer")
                if len(raw) > MOST_BYTES:
                    break
    except (httpx2.HTTPError, OSError) as error:
        raise Unreadable(f"its address cannot be reached: {type(error).__name__}") from error
    return _keys_in(bytes(raw))


def _keys_in(raw: bytes) -> tuple[Jwk, ...]:
    """Read a set. Keys that are for encryption, or that are secrets, are no public keys for signatures."""
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"its set is over {MOST_BYTES} bytes")
    try:
        keys = json.loads(raw)["keys"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Unreadable("it is no JSON Web Key Set") from error
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise Unreadable(f"its keys are no list of at most {MOST_KEYS}")
    return tuple(
        key for key in keys if isinstance(key, dict) and key.get("kty") != "oct" and key.get("use", "sig") == "sig"
    )
