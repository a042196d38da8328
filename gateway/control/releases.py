"""Releases made ready to serve: with their provider's credential, their price, their parameters as bytes."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from gateway.control.policies import CredentialSource, ModelPolicy, Policies, ReleasePolicy
from gateway.core.errors import PolicyFault, Problem, SetupFault
from gateway.core.model import ModelVersion
from gateway.core.ports import PriceBook, Secrets
from gateway.core.price import NoPrice
from gateway.core.provider import Credential, Provider
from gateway.core.release import Release


def resolve_providers(policies: Policies, secrets: Secrets) -> dict[str, Provider]:
    """Give every provider of a set its credential.

    Raises:
        PolicyFault: a credential is not there or cannot stand in a header; every one at once, at its
            provider's place.
    """
    problems: list[Problem] = []
    resolved: dict[str, Provider] = {}
    for name, policy in policies.providers.items():
        try:
            credential = None if policy.credential is None else _credential(policy.credential, secrets)
        except SetupFault as fault:
            said, _, remedy = fault.message.partition("; ")
            problem = f"provider {name}: {said}"
            problems.append(Problem(policy.where.file, policy.where.line, problem, remedy or "set it and reload"))
        else:
            resolved[name] = replace(policy.provider, credential=credential)
    if problems:
        raise PolicyFault(sorted(problems))
    return resolved


def _credential(source: CredentialSource, secrets: Secrets) -> Credential:
    """Read a credential. The blanks and line ends around it are not its own."""
    secret = secrets.read(source.source).strip()
    if not secret:
        raise SetupFault(f"credential {source.source}: empty; put the secret there")
    if not all("!" <= character <= "~" for character in secret):
        raise SetupFault(f"credential {source.source}: holds characters that a header cannot carry; correct it")
    return Credential(source.source, source.header, f"{source.scheme}{secret}".encode())


def compile_release(
    route: str,
    release: ReleasePolicy,
    policies: Policies,
    providers: Mapping[str, Provider],
    price_book: PriceBook,
    *,
    dev: bool,
) -> Release:
    """Make the release that serves on `route`; `dev` marks what a development server loaded."""
    return Release(
        route=route,
        version=release.version,
        model=_model(policies.models[release.model], providers, price_book),
        prompt=None if release.prompt is None else policies.prompts[release.prompt],
        params=release.params,
        context=release.context,
        digest=release.digest,
        encoded_params={name: orjson.dumps(value) for name, value in release.params.items()},
        dev=dev,
    )


def _model(policy: ModelPolicy, providers: Mapping[str, Provider], price_book: PriceBook) -> ModelVersion:
    provider = providers[policy.provider_name]
    known = policy.price or price_book.pricing(provider.dialect, provider.base_url, policy.upstream_model)
    return ModelVersion(
        model=policy.name,
        version=policy.version,
        provider=provider,
        upstream_model=policy.upstream_model,
        served_model=policy.served_model,
        digest=policy.digest,
        fingerprint=policy.fingerprint,
        floating=policy.floating,
        owner=policy.owner,
        pricing=NoPrice() if known is None else known,
    )
