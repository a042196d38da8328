"""What a policy set registers: every version that it declares, with what its digest covers and what is known of it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gateway.control.model_documents import DatasetDocument, ModelDocument
from gateway.control.policies import DatasetPolicy, ModelPolicy, Policies, Where
from gateway.control.policy_declared import Findings, Readings, declare
from gateway.control.policy_upstreams import Models, datasets_of, prompt_of
from gateway.control.route_documents import PromptDocument
from gateway.control.undeclared import unknown_datasets
from gateway.core.errors import PolicyFault, Problem, VerbRefused
from gateway.core.prompt import PromptVersion
from gateway.core.standing import Entry, Key, Standing, registered

REGISTERED = (ModelDocument, DatasetDocument, PromptDocument)
"""The documents that may be registered apart from a policy set."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering a policy set would write, in order, and what keeps it from being accepted."""

    entries: tuple[tuple[Entry, Standing], ...]
    problems: tuple[Problem, ...]


def registration_of(policies: Policies, known: Mapping[Key, Standing], now: float) -> Registration:
    """Compare what a policy set declares with what is registered, at wall time `now`."""
    entries: list[tuple[Entry, Standing]] = []
    problems: list[Problem] = []
    for entry, where in entries_of(policies):
        before = known.get(entry.key)
        try:
            after = registered(entry, before, author=None, now=now)
        except VerbRefused as refusal:
            said, _, remedy = refusal.message.partition("; ")
            problems.append(Problem(where.file, where.line, said, remedy))
        else:
            if after is not before:
                entries.append((entry, after))
    return Registration(tuple(entries), tuple(problems))


def entries_registered(files: Mapping[str, str], policies: Policies, known: Collection[Key]) -> list[Entry]:
    """Read the model, prompt and dataset documents of some files (name to text), as versions to be registered.

    They may refer to each other, to the providers of the policy set, and to datasets that are `known`.

    Raises:
        PolicyFault: a document is not acceptable, or of a kind that is not registered so; it carries every problem.
    """
    findings = Findings()
    declared = declare(files, findings, Readings())
    for each in declared.found.values():
        if not isinstance(each.keys, REGISTERED):
            findings.wrong(each, ("kind",), " is not registered so", "write it in the policy files")
    if not declared.found and not findings.problems:
        raise PolicyFault([Problem(".", 1, "there is nothing to register", "write a model, a prompt or a dataset")])
    datasets = {str(dataset): dataset for dataset in datasets_of(declared)}
    others = {f"{name}@{version}": kind for kind, name, version in known if kind == "dataset"}
    models = Models(declared, policies.providers, {**others, **datasets})
    findings.problems += unknown_datasets(models.undeclared, datasets, others)
    prompts = [prompt_of(each, findings) for each in declared.all_of(PromptDocument)]
    if findings.problems:
        raise PolicyFault(sorted(set(findings.problems)))
    return [*map(_dataset, datasets.values()), *map(_model, models.found.values()), *map(_prompt, prompts)]


def entries_of(policies: Policies) -> Iterator[tuple[Entry, Where]]:
    """Give every version of a policy set with where it is declared; models and prompts come before releases."""
    for dataset in policies.datasets.values():
        yield _dataset(dataset), dataset.where
    for model in policies.models.values():
        yield _model(model), model.where
    for prompt in policies.prompts.values():
        yield _prompt(prompt), policies.prompt_places[str(prompt)]
    for route in policies.routes.values():
        for release in route.releases.values():
            names = {"model": release.model} | ({} if release.prompt is None else {"prompt": release.prompt})
            facts = names | ({} if route.owner is None else {"owner": route.owner})
            yield Entry("release", route.name, release.version, release.content, facts), release.where


def _dataset(dataset: DatasetPolicy) -> Entry:
    return Entry("dataset", dataset.name, dataset.version, dataset.content, dataset.facts)


def _model(model: ModelPolicy) -> Entry:
    return Entry("model", model.name, model.version, model.content, model.facts)


def _prompt(prompt: PromptVersion) -> Entry:
    facts = {} if prompt.owner is None else {"owner": prompt.owner}
    return Entry("prompt", prompt.name, prompt.version, prompt.content, facts)
