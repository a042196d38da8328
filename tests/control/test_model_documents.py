"""What model and dataset documents hold."""

from datetime import date

import pytest
from pydantic import ValidationError

from gateway.control.model_documents import DatasetDocument, ModelDocument
from gateway.control.policy_text import read_documents

SHA = "0" * 64


def keys_of(kind, text):
    """Read keys from YAML."""
    return kind.model_validate(read_documents("a.yaml", text).documents[0].value)


def model(version):
    """A model document with this one version."""
    return keys_of(ModelDocument, f'{{kind: model, name: m, provider: p, versions: {{"1": {version}}}}}')


def dataset(version):
    """A dataset document with this one version."""
    return keys_of(DatasetDocument, f'{{kind: dataset, name: d, versions: {{"1": {version}}}}}')


def test_an_upstream_model_is_all_that_must_be_told():
    """Everything else is empty until somebody tells it."""
    own = model("{upstream_model: m-2026-01-01}").versions["1"]
    assert ([], [], {}, None) == (own.data.training, own.use_cases, own.training.parameters, own.materiality)


def test_everything_that_can_be_told_is_read():
    """The data, the training, the evaluations, the artifacts, and how much rests on it."""
    own = model(
        "{upstream_model: m-2026-01-01, base_model: org/base, data: {training: [a@1], evaluation: [b@1]},"
        " training: {commit: c0ffee, framework: torch 2.9, dependencies: [numpy==2.3], seeds: [1, 2],"
        " parameters: {rate: 0.1}}, evaluations: [{name: qa, metric: exact, value: 0.9, n: 100, group: de,"
        " dataset: b@1, at: 2026-03-01}], licence: MIT, artifacts: [{name: w.bin, sha256: "
        f"{SHA}, size: 9}}], use_cases: [support], limitations: [no law], materiality: {{exposure: low, purpose: x}},"
        " validator: eve, findings: [none], review_by: 2027-01-31, may_serve: {data_classes: [public], segments: [eu]}}"
    ).versions["1"]
    assert (["a@1"], date(2026, 3, 1), [1, 2], "low") == (
        own.data.training,
        own.evaluations[0].at,
        own.training.seeds,
        own.materiality.exposure,
    )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("{data: {training: [a@1], evaluation: [a@1]}}", "used for training and for evaluation"),
        ("{evaluations: [{name: qa, metric: exact, value: 1.0, n: 0}]}", "greater than or equal to 1"),
        ("{review_by: 31.1.2027}", "is not a day; write one like 2027-03-31"),
        ("{review_by: 2027-02-30}", "is not a day"),
        ("{materiality: {exposure: huge, purpose: x}}", "low"),
        ("{artifacts: [{name: w, sha256: abc}]}", "is not a SHA-256"),
        ("{colour: red}", "Extra inputs"),
        (f"{{use_cases: [{', '.join(['x'] * 201)}]}}", "at most 200"),
    ],
)
def test_what_cannot_be_meant_is_refused(version, said):
    """With what is wrong."""
    with pytest.raises(ValidationError, match=said):
        model("{upstream_model: m-2026-01-01, " + version[1:])


def test_a_dataset_version_is_its_rows():
    """Digest, count and origin must be told; the rest may be."""
    own = dataset(f"{{sha256: {SHA}, rows: 3, origin: the web, columns: {{text: string}}}}").versions["1"]
    assert (3, {"text": "string"}, None, []) == (own.rows, own.columns, own.purpose, own.known_gaps)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (f"{{sha256: {SHA}, rows: -1, origin: x}}", "greater than or equal to 0"),
        (f"{{sha256: {SHA}, rows: 1}}", "origin"),
        (f"{{sha256: {SHA}, rows: 1, origin: x, purpose: fun}}", "training"),
    ],
)
def test_a_dataset_that_cannot_be_is_refused(version, said):
    """With what is wrong."""
    with pytest.raises(ValidationError, match=said):
        dataset(version)
