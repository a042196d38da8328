"""Operators and identity providers: from the keys of policy files to values that nobody holds who must not."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.control.access_documents import IdentityProviderDocument, OperatorDocument
from gateway.control.policy_declared import Declaration, Declared
from gateway.core.access import conflicts, roles_of
from gateway.core.api_key import name_of_digest
from gateway.core.app import App
from gateway.core.identity_provider import IdentityProvider
from gateway.core.operator import RESERVED_NAMES, Operator, Operators

Providers = Mapping[str, IdentityProvider]
"""Identity providers by name."""

Declaring = Declaration[OperatorDocument]


def identity_providers_of(declared: Declared) -> dict[str, IdentityProvider]:
    """Make the identity providers by name; no two of them are one issuer."""
    made: dict[str, IdentityProvider] = {}
    for each in declared.all_of(IdentityProviderDocument):
        keys = each.keys
        same = next((name for name, other in made.items() if other.issuer == keys.issuer), None)
        if same is not None:
            said = f" is that of identity_provider {same}"
            declared.findings.wrong(each, ("issuer",), said, "keep one of the two")
        made[keys.name] = IdentityProvider(
            name=keys.name,
            issuer=keys.issuer,
            audience=keys.audience,
            jwks=f"file:{keys.jwks_file}" if keys.jwks_url is None else keys.jwks_url,
            subject_claim=keys.subject_claim,
            algorithms=tuple(keys.algorithms),
            ca_file=keys.ca_file,
        )
    return made


def operators_of(declared: Declared, providers: Providers, apps: Mapping[bytes, App]) -> Operators:
    """Make the operators; `apps` are the applications by the digests of their keys, which are no operator's tokens."""
    by_name: dict[str, Operator] = {}
    by_token: dict[bytes, Operator] = {}
    by_subject: dict[tuple[str, str], Operator] = {}
    for each in declared.all_of(OperatorDocument):
        operator = _operator(each, declared)
        by_name[operator.name] = operator
        for index, token in enumerate(each.keys.tokens):
            digest = bytes.fromhex(token.sha256)
            known = by_token.get(digest) or apps.get(digest)
            if known is not None:
                said = f" is one of {known.name}"
                declared.findings.wrong(each, ("tokens", index), said, "give every operator tokens of its own")
            by_token[digest] = replace(operator, by=name_of_digest(token.sha256))
        provider = _provider(each, declared, providers)
        if provider is not None and each.keys.subject is not None:
            subject = provider.issuer, each.keys.subject
            if subject in by_subject:
                said = f" is that of operator {by_subject[subject].name}"
                declared.findings.wrong(each, ("subject",), said, "a person is one operator; keep one of the two")
            by_subject[subject] = replace(operator, identified="oidc", by=provider.issuer)
    return Operators(by_name, by_token, by_subject)


def _operator(each: Declaring, declared: Declared) -> Operator:
    keys, findings = each.keys, declared.findings
    if keys.name in RESERVED_NAMES:
        said, remedy = f" is {keys.name}, a name that acts of other origin are recorded under", "give it another name"
        findings.wrong(each, ("name",), said, remedy)
    roles = roles_of(keys.roles, is_person=keys.person, signs=bool(keys.signs_for))
    for one, other, why in conflicts(roles):
        place = ("signs_for",) if other == "approver" else ("roles",)
        findings.wrong(each, place, f": nobody is both {one} and {other}: {why}", "take one of the two away")
    if not keys.roles and not keys.signs_for:
        findings.warn(each, (), " has no role and signs for nothing, so it may do nothing", "give it a role")
    return Operator(
        name=keys.name,
        roles=roles,
        is_person=keys.person,
        signs_for=frozenset(keys.signs_for),
        owner=keys.owner,
        contact=keys.contact,
    )


def _provider(each: Declaring, declared: Declared, providers: Providers) -> IdentityProvider | None:
    """Give the identity provider that knows an operator's subject; None where it has none, or something is wrong."""
    keys, findings = each.keys, declared.findings
    if keys.subject is None:
        if keys.identity_provider is not None:
            findings.wrong(each, ("identity_provider",), " is of no use without a subject", "add one, or remove it")
        return None
    if not keys.person:
        findings.wrong(each, ("subject",), " is of a person, and this is a service", "give it a token instead")
    if keys.identity_provider is not None:
        return declared.refer(each, ("identity_provider",), "identity_provider", keys.identity_provider, providers)
    if len(providers) == 1:
        return next(iter(providers.values()))
    if providers:
        said, remedy = " may be of any of several identity providers", "name one, as identity_provider"
        findings.wrong(each, ("subject",), said, remedy)
    elif not declared.cut and not any(kind == "identity_provider" for kind, _ in declared.spoilt):
        findings.wrong(each, ("subject",), " is known to no identity provider", "declare an identity_provider")
    return None
