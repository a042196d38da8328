"""What policy documents say of who may: operators, and the identity providers that know them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.control.policy_documents import KeyKeys, Keys
from gateway.control.policy_fields import BaseUrl, Line, Name

Granted = Literal["viewer", "auditor", "author", "evaluator", "operator", "admin"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a private key alone: what is signed with a shared secret, or not at all, proves nobody."""

DEFAULT_ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA")


class OperatorDocument(Keys):
    """A person or a service that uses the operations API."""

    kind: Literal["operator"]
    name: Name
    """What its acts are recorded under."""
    person: bool = True
    """Whether it is a person; false for a service, which never signs."""
    roles: Annotated[list[Granted], Field(max_length=16)] = Field(default_factory=list)
    """What it may: viewer, auditor, author, evaluator, operator, admin."""
    signs_for: Annotated[list[Name], Field(max_length=16)] = Field(default_factory=list)
    """Whose sign-off it may give: engineering, risk_compliance, product, security, or another name."""
    tokens: Annotated[list[KeyKeys], Field(max_length=16)] = Field(default_factory=list)
    """Its tokens, each by its digest; during a change of tokens, the old and the new one."""
    subject: Line | None = None
    """The value of the identity provider's subject claim that is this person."""
    identity_provider: Name | None = None
    """The identity provider that knows the subject; left out where there is one."""
    owner: Line | None = None
    """Who answers for it, where it is a service."""
    contact: Line | None = None
    """How to reach it."""


class IdentityProviderDocument(Keys):
    """An OpenID Connect issuer whose signed tokens say who somebody is."""

    kind: Literal["identity_provider"]
    name: Name
    issuer: Line
    """The claim iss of its tokens, exactly."""
    audience: Line
    """What the claim aud of its tokens must hold."""
    jwks_file: Line | None = None
    """The file of its public keys, a JSON Web Key Set; read anew when it changes."""
    jwks_url: BaseUrl | None = None
    """The https address of its public keys, in place of a file."""
    ca_file: Line | None = None
    """A file of certificates to trust for jwks_url, in place of the system's."""
    subject_claim: Line = "sub"
    """The claim that names who it is."""
    algorithms: Annotated[list[Algorithm], Field(min_length=1, max_length=10)] = Field(
        default_factory=lambda: list(DEFAULT_ALGORITHMS)
    )
    """The signatures that are taken."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("it takes jwks_file or jwks_url; write exactly one")
        if self.jwks_url is not None and not self.jwks_url.startswith("https://"):
            raise ValueError("jwks_url is not https, so anybody on the way may put keys there; write an https address")
        if self.ca_file is not None and self.jwks_url is None:
            raise ValueError("ca_file is of no use without jwks_url; remove it")
        return self
