"""An identity provider: an OpenID Connect issuer whose signed tokens say which person asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """How the tokens of one issuer are verified.

    `jwks` is where its public keys are, `file:PATH` or an https address, and `ca_file` what to trust on the way there.
    `algorithms` are the names of signatures by private keys (RFC 7518) that are taken.
    """

    name: str
    issuer: str
    audience: str
    jwks: str
    subject_claim: str
    algorithms: tuple[str, ...]
    ca_file: str | None = None
