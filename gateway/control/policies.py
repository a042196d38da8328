"""Policy files: `load` turns them into a policy set, or says everything that is wrong with them."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from gateway.control.policy_access import identity_providers_of, operators_of
from gateway.control.policy_approvals import approval_policies_of, places_of
from gateway.control.policy_attestations import attestations_of, is_attached, signing_keys_of
from gateway.control.policy_cards import cards_of
from gateway.control.policy_declared import Declared, Findings, Readings, declare
from gateway.control.policy_documents import AppDocument, ProviderDocument
from gateway.control.policy_limits import spending_places
from gateway.control.policy_routes import Parts, callers_of, keys_of, plans_of, route_of
from gateway.control.policy_upstreams import Models, datasets_of, prompt_of, provider_of
from gateway.control.policy_values import (
    ArmPolicy,
    CredentialSource,
    DatasetPolicy,
    ExperimentPolicy,
    ModelPolicy,
    Policies,
    ProviderPolicy,
    ReleasePolicy,
    RoutePolicy,
    ShadowPolicy,
    Where,
)
from gateway.control.route_documents import PromptDocument, RouteDocument
from gateway.control.signatures import stale
from gateway.core.errors import PolicyFault, Problem

__all__ = [
    "ArmPolicy",
    "CredentialSource",
    "DatasetPolicy",
    "ExperimentPolicy",
    "ModelPolicy",
    "Policies",
    "ProviderPolicy",
    "Readings",
    "ReleasePolicy",
    "RoutePolicy",
    "ShadowPolicy",
    "Where",
    "load",
]


def load(files: Mapping[str, str], readings: Readings | None = None) -> Policies:
    """Load a policy set from its files: relative name to text. `readings` remembers the files of the last one.

    Raises:
        PolicyFault: the set is not acceptable; it carries every problem of every file, by file and line.
    """
    findings = Findings()
    documents = {name: text for name, text in files.items() if not is_attached(name)}
    declared = declare(documents, findings, Readings() if readings is None else readings)
    if not declared.found and not findings.problems:
        raise PolicyFault([Problem(".", 1, "there is no policy here", "write one in a file that ends in .yaml")])
    policies = _put_together(files, declared)
    if findings.problems:
        raise PolicyFault(sorted(set(findings.problems)))
    return replace(policies, warnings=tuple(sorted({*policies.warnings, *stale(policies)})))


def revision_of(files: Mapping[str, str]) -> str:
    """Digest a set of files, names and contents, as 64 hexadecimal digits of SHA-256."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name, files[name]):
            encoded = part.encode("utf-8", "surrogateescape")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _put_together(files: Mapping[str, str], declared: Declared) -> Policies:
    """Make the values of a set in the order in which they refer to each other."""
    findings = declared.findings
    providers = {each.keys.name: provider_of(each, findings) for each in declared.all_of(ProviderDocument)}
    datasets = {str(dataset): dataset for dataset in datasets_of(declared)}
    models = Models(declared, providers, datasets)
    written = {f"{each.keys.name}@{each.keys.version}": each for each in declared.all_of(PromptDocument)}
    prompts = {name: prompt_of(each, findings) for name, each in written.items()}
    app_names = frozenset(each.keys.name for each in declared.all_of(AppDocument))
    signing_keys = signing_keys_of(declared, files)
    parts = Parts(declared, providers, models, prompts, plans_of(declared), app_names, signing_keys)
    documents = {each.keys.name: each for each in declared.all_of(RouteDocument)}
    made = {name: route_of(each, parts) for name, each in documents.items()}
    cards = cards_of(declared, models.found, documents)
    if not documents:
        remedy = "declare one, or every request is refused"
        findings.warnings.append(Problem(".", 1, "the set declares no route", remedy))
    callers = callers_of(declared, documents)
    apps = keys_of(declared, callers)
    identity_providers = identity_providers_of(declared)
    operators = operators_of(declared, identity_providers, apps)
    approval_policies = approval_policies_of(declared, documents, operators)
    sources = (each.credential.source for each in providers.values() if each.credential is not None)
    return Policies(
        revision=revision_of(files),
        providers=providers,
        models=models.found,
        datasets=datasets,
        prompts=prompts,
        prompt_places={name: each.where for name, each in written.items()},
        apps=apps,
        app_names=app_names,
        routes={name: route for name, route in made.items() if route is not None},
        warnings=tuple(findings.warnings),
        credential_files=tuple(source.removeprefix("file:") for source in sources if source.startswith("file:")),
        callers=callers,
        operators=operators,
        identity_providers=identity_providers,
        signing_keys=signing_keys,
        attestations=attestations_of(files, findings),
        cards=cards,
        approval_policies=approval_policies,
        approval_places=places_of(declared),
        undeclared=tuple(models.undeclared),
        spending_places=spending_places(declared),
    )
