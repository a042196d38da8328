"""The signed tokens of identity providers: JSON Web Tokens (RFC 7519), verified as RFC 8725 asks.

A token counts if its issuer is a declared one, its signature is by one of that issuer's public keys and of an algorithm
that the declaration takes, its audience is ours, and the time is within what it says, give or take 30 seconds.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.adapters.jwks_source import Jwk, JwksSource
from gateway.core.identity_provider import IdentityProvider
from gateway.core.ports import Clock, Journal

LEEWAY_SECONDS = 30
MOST_CHARACTERS = 16 * 1024
MOST_SUBJECT = 500

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

FITTING: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Which keys an algorithm takes: their type, and their curve."""


class JwtVerifier:
    """The port `TokenVerifier`, over the key sets of the providers."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._source = JwksSource(journal, clock)

    def __repr__(self) -> str:
        return f"<JwtVerifier over {self._source!r}>"

    async def subject(self, token: str, providers: Sequence[IdentityProvider]) -> tuple[str, str] | None:
        """Give the issuer and the subject of a token that one of these providers vouches for; None for any other.

        The journal says why a token of a declared issuer was refused, and quotes nothing of it.
        """
        if len(token) > MOST_CHARACTERS or not _FORM.fullmatch(token):
            return None
        unproven = await asyncio.to_thread(_read, token)
        provider = next((each for each in providers if each.issuer == unproven.issuer), None)
        if provider is None:
            return None
        try:
            key = await self._key(unproven, provider)
            claims = await asyncio.to_thread(_verified, token, key, unproven.algorithm, provider)
            return provider.issuer, _subject(claims, provider)
        except _Unproven as error:
            self._journal.event("token_refused", level="warning", identity_provider=provider.name, message=str(error))
            return None

    async def _key(self, unproven: "_Read", provider: IdentityProvider) -> Jwk:
        """Give the one key that a token may be signed by."""
        if unproven.algorithm not in provider.algorithms or unproven.algorithm not in FITTING:
            raise _Unproven("its algorithm is not one that the identity provider is declared with")
        keys = await self._source.keys(provider, unproven.key_id)
        fitting = [key for key in keys if _fits(key, unproven.algorithm)]
        if len(fitting) != 1:
            raise _Unproven(f"{len(fitting)} keys of the set fit its kid and its algorithm, not one")
        return fitting[0]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a token says of itself, without any proof; empty where it says nothing that can be read."""

    issuer: str = ""
    algorithm: str = ""
    key_id: str | None = None


class _Unproven(Exception):
    """A token does not prove what it says; the message says why."""


def _read(token: str) -> _Read:
    """Read what a token says of itself. Beside the loop, as what follows: the library takes long to import."""
    import jwt  # noqa: PLC0415 - its cryptography costs the start 100 ms and 20 MB, and few gateways need it

    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return _Read()
    issuer, algorithm = found["payload"].get("iss"), found["header"].get("alg")
    if not isinstance(issuer, str) or not isinstance(algorithm, str):
        return _Read()
    return _Read(issuer, algorithm, found["header"].get("kid"))


def _verified(token: str, key: Jwk, algorithm: str, provider: IdentityProvider) -> dict[str, Any]:
    """Give the claims of a token, once all of it holds. The library may quote a key: only an error's kind is told."""
    import jwt  # noqa: PLC0415 - as above

    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            audience=provider.audience,
            issuer=provider.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"], "verify_sub": False, "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise _Unproven(type(error).__name__) from error
    return claims


def _fits(key: Jwk, algorithm: str) -> bool:
    """Say whether a key is one for an algorithm; one that names its own algorithm is for that one alone."""
    kty, crv = FITTING[algorithm]
    return key.get("kty") == kty and crv in (None, key.get("crv")) and key.get("alg", algorithm) == algorithm


def _subject(claims: Mapping[str, Any], provider: IdentityProvider) -> str:
    """Give who the claims say it is; an e-mail address counts only if the provider has verified it."""
    name = provider.subject_claim
    subject = claims.get(name)
    if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
        raise _Unproven(f"its claim {name} is missing, or no text of at most {MOST_SUBJECT} characters")
    if name == "email" and claims.get("email_verified") is not True:
        raise _Unproven("its e-mail address is not verified")
    return subject
