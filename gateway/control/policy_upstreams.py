"""Providers, model versions and prompts: from the keys of policy files to values."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_jsonable_python

from gateway.control.model_documents import DatasetDocument, ModelDocument, ModelFacts, ModelVersionKeys, PriceKeys
from gateway.control.policy_declared import Declaration, Declared, Findings
from gateway.control.policy_documents import CredentialKeys, Keys, ProviderDocument
from gateway.control.policy_schema import shown_place, subject
from gateway.control.policy_text import Place
from gateway.control.policy_values import (
    CredentialSource,
    DatasetPolicy,
    ModelPolicy,
    ProviderPolicy,
    UndeclaredDataset,
    Where,
)
from gateway.control.route_documents import PromptDocument
from gateway.control.upstream_names import is_exact, is_latest, model_and_version
from gateway.core.digest import digest
from gateway.core.price import Price
from gateway.core.prompt import PromptVersion, variables_of
from gateway.core.provider import PUBLIC_BASE_URL, ClientCertificate, DialectName, Provider, Timeouts

_CREDENTIAL_HEADER: Mapping[DialectName, str] = {
    "openai": "authorization",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}
CONTENT = ("sha256", "rows", "columns")
"""The keys of a dataset version that its digest covers."""

_DATED_REMEDY = "name a dated one, or say why not with floating:"


def provider_of(declared: Declaration[ProviderDocument], findings: Findings) -> ProviderPolicy:
    """Make a provider, and warn of an address that will hardly work or that shows what passes."""
    keys = declared.keys
    base_url = keys.base_url or PUBLIC_BASE_URL[keys.dialect]
    for said, remedy in _doubts(base_url, keys.dialect):
        findings.warn(declared, ("base_url",), said, remedy)
    for key, said, remedy in _impossible(keys, base_url):
        findings.wrong(declared, (key,), said, remedy)
    needs_httpx = keys.proxy is not None or keys.http2 or keys.client_certificate is not None
    shown = keys.client_certificate
    provider = Provider(
        name=keys.name,
        dialect=keys.dialect,
        base_url=base_url,
        timeouts=Timeouts(**keys.timeouts.model_dump()),
        retries=keys.retries,
        max_connections=keys.max_connections,
        ca_file=keys.ca_file,
        proxy=keys.proxy,
        transport=keys.transport or ("httpx" if needs_httpx else "native"),
        http2=keys.http2,
        client_certificate=None if shown is None else ClientCertificate(shown.cert, shown.key),
    )
    credential = None if keys.credential is None else _credential(keys.credential, keys.dialect)
    return ProviderPolicy(provider, credential, declared.where)


def _impossible(keys: ProviderDocument, base_url: str) -> Iterable[tuple[str, str, str]]:
    """What the keys ask for together and no transport does: the key at fault, the problem, the remedy."""
    asked = {
        "proxy": keys.proxy is not None,
        "http2": keys.http2,
        "client_certificate": keys.client_certificate is not None,
    }
    for key, is_asked in asked.items():
        if is_asked and keys.transport == "native":
            yield "transport", f": native has no {key}", "write httpx, or leave transport out"
        if is_asked and key != "proxy" and urlsplit(base_url).scheme != "https":
            yield key, f" goes with TLS, and {base_url} has none", "leave it out, or use https"


def _credential(keys: CredentialKeys, dialect: DialectName) -> CredentialSource:
    header = (keys.header or _CREDENTIAL_HEADER[dialect]).lower()
    word = keys.scheme if keys.scheme is not None else {"authorization": "Bearer"}.get(header, "")
    source = f"file:{keys.file}" if keys.env is None else f"env:{keys.env}"
    return CredentialSource(source, header.encode(), f"{word} " if word else "")


def _doubts(base_url: str, dialect: DialectName) -> Iterable[tuple[str, str]]:
    parts = urlsplit(base_url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        yield f" is {base_url}, where anyone on the way can read and change what passes", "use https"
    has_version = re.search(r"/v[0-9]", parts.path) is not None
    if dialect == "openai" and not has_version:
        yield f" is {base_url}, which has no version in its path", "write it as OpenAI's SDK takes it, with /v1"
    if dialect == "anthropic" and parts.path.rstrip("/").endswith("/v1"):
        yield f" is {base_url}, to which /v1 is added", "write it as Anthropic's SDK takes it, without /v1"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Models:
    """The model versions of a set, declared ones first; releases may register further ones."""

    def __init__(
        self,
        declared: Declared,
        providers: Mapping[str, ProviderPolicy],
        datasets: Mapping[str, object],
    ) -> None:
        self.found: dict[str, ModelPolicy] = {}
        self.undeclared: list[UndeclaredDataset] = []
        self._declared = declared
        self._providers = providers
        for model in declared.all_of(ModelDocument):
            self._take(model)
        for model in declared.all_of(ModelDocument):
            for version, own in model.keys.versions.items():
                self._check_origins(model, version, own, datasets)

    def _take(self, model: Declaration[ModelDocument]) -> None:
        keys = model.keys
        provider = self._declared.refer(model, ("provider",), "provider", keys.provider, self._providers)
        if provider is None:
            self._declared.spoilt.add(("model", keys.name))
        for version, own in keys.versions.items():
            place = ("versions", version, "upstream_model")
            _check_upstream(self._declared.findings, model, place, own.upstream_model, own.floating)
            if provider is not None:
                policy = _model(keys.name, version, provider, own, keys.owner, model.where_of(("versions", version)))
                self.found[str(policy)] = policy

    def _check_origins(
        self,
        model: Declaration[ModelDocument],
        version: str,
        own: ModelVersionKeys,
        datasets: Mapping[str, object],
    ) -> None:
        """Check that what a version says it comes from is there; a public base model is organisation/name."""
        place = ("versions", version)
        for use in ("training", "evaluation"):
            for index, name in enumerate(getattr(own.data, use)):
                self._check_dataset(model, (*place, "data", use, index), name, datasets)
        for index, result in enumerate(own.evaluations):
            if result.dataset is not None:
                self._check_dataset(model, (*place, "evaluations", index, "dataset"), result.dataset, datasets)
        if own.base_model is not None and "/" not in own.base_model:
            self._declared.refer(model, (*place, "base_model"), "model", own.base_model, self.found)

    def _check_dataset(
        self, model: Declaration[ModelDocument], place: Place, name: str, datasets: Mapping[str, object]
    ) -> None:
        """Note a dataset that is not declared: whether it is registered, files do not say."""
        if name not in datasets and not self._declared.is_lost("dataset", name):
            named = f"{subject(model.document)}: {shown_place(place)}"
            self.undeclared.append(UndeclaredDataset(name, named, model.where_of(place)))

    def refer(self, at: Declaration[Keys], place: Place, text: str) -> ModelPolicy | None:
        """Give the model version that a release names, `name@version` or `provider/upstream-name`."""
        if "/" not in text:
            return self._declared.refer(at, place, "model", text, self.found)
        name, _, upstream = text.partition("/")
        provider = self._declared.refer(at, place, "provider", name, self._providers)
        if provider is None:
            return None
        try:
            own = ModelVersionKeys(upstream_model=upstream)
        except ValueError:
            problem = f": {text!r} names no upstream model"
            self._declared.findings.wrong(at, place, problem, "write provider/upstream-name, or model@version")
            return None
        _check_upstream(self._declared.findings, at, place, upstream, None)
        registered = _model(*model_and_version(upstream), provider, own, None, at.where_of(place))
        known = self.found.setdefault(str(registered), registered)
        if (known.provider_name, known.upstream_model) == (name, upstream):
            return known
        problem = f": {text!r} registers {known}, which stands for {known.provider_name}/{known.upstream_model}"
        remedy = f"declare one of the two as kind: model under another name; the first is at {known.where}"
        self._declared.findings.wrong(at, place, problem, remedy)
        return None


def _check_upstream(
    findings: Findings, at: Declaration[Keys], place: Place, upstream: str, floating: str | None
) -> None:
    """Refuse a name that means whatever is latest, and warn of one that does not say which it means."""
    if is_latest(upstream):
        findings.wrong(at, place, f": {upstream!r} means another model from time to time", "name a dated one")
    elif floating is None and not is_exact(upstream):
        findings.warn(at, place, f": {upstream!r} has no date or version, so its model may change", _DATED_REMEDY)


def _model(
    name: str, version: str, provider: ProviderPolicy, keys: ModelVersionKeys, owner: str | None, where: Where
) -> ModelPolicy:
    """Make a model version. Its digest covers what answers depend on."""
    is_pinned = keys.floating is None and is_exact(keys.upstream_model)
    served = keys.served_model or (keys.upstream_model if is_pinned else None)
    content = {
        "dialect": provider.provider.dialect,
        "upstream_model": keys.upstream_model,
        "served_model": served,
        "fingerprint": keys.fingerprint,
    }
    return ModelPolicy(
        name=name,
        version=version,
        provider_name=provider.provider.name,
        upstream_model=keys.upstream_model,
        price=None if keys.price is None else _price(keys.price),
        floating=keys.floating,
        served_model=served,
        fingerprint=keys.fingerprint,
        owner=owner,
        digest=digest(content),
        content=content,
        facts=facts_of(keys, owner, provider=provider.provider.name, upstream_model=keys.upstream_model),
        where=where,
    )


def facts_of(keys: ModelFacts, owner: str | None, **more: str) -> dict[str, Any]:
    """Give what is known of a model version beside its content, as JSON; what nobody said is left out."""
    told = keys.model_dump(include=set(ModelFacts.model_fields), exclude_defaults=True)
    known: dict[str, Any] = to_jsonable_python(told)
    return {**known, **more, **({} if owner is None else {"owner": owner})}


def _price(keys: PriceKeys) -> Price:
    return Price(**keys.model_dump())


def datasets_of(declared: Declared) -> Iterator[DatasetPolicy]:
    """Make every dataset version of a set. Its digest covers its rows; where they come from is a fact beside it."""
    for each in declared.all_of(DatasetDocument):
        for version, own in each.keys.versions.items():
            known = own.model_dump(exclude_defaults=True)
            content: dict[str, Any] = {name: known.pop(name) for name in CONTENT if name in known}
            facts = known if each.keys.owner is None else {**known, "owner": each.keys.owner}
            yield DatasetPolicy(each.keys.name, version, content, facts, each.where_of(("versions", version)))


def prompt_of(declared: Declaration[PromptDocument], findings: Findings) -> PromptVersion:
    """Make a prompt version, and say where its text and its declared inputs differ."""
    keys = declared.keys
    used = variables_of(keys.text)
    for name in used:
        if name not in keys.input:
            remedy = f"declare it: input: {{{name}: string}}"
            findings.wrong(declared, ("text",), f" uses the variable {name!r}, which is not declared", remedy)
    for name in keys.input:
        if name not in used:
            remedy = "use it, or remove it"
            findings.warn(declared, ("input", name), " is declared, and the text does not use it", remedy)
    content: dict[str, Any] = {
        "text": keys.text,
        "inputs": keys.input,
        "place": keys.place,
        "output_schema": keys.output_schema,
    }
    return PromptVersion(name=keys.name, version=keys.version, digest=digest(content), owner=keys.owner, **content)
