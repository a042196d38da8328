"""The documents of a set by kind and name."""

import pytest

from gateway.control.policy_declared import Findings, Readings, declare
from gateway.control.policy_documents import AppDocument, Keys, ProviderDocument
from gateway.control.policy_values import Where

APP = "kind: app\nname: a\nkeys: []\n"
PROMPT = "---\nkind: prompt\nname: t\nversion: {}\n---\nhello\n"


def test_documents_are_found_by_kind_in_order_of_files_and_lines():
    """Whatever order the files came in."""
    files = {"b.yaml": APP.replace("name: a", "name: b"), "a.yaml": f"{APP}---\n{APP.replace('name: a', 'name: c')}"}
    declared = declare(files, Findings(), Readings())
    assert [("a", Where("a.yaml", 1)), ("c", Where("a.yaml", 5)), ("b", Where("b.yaml", 1))] == [
        (each.keys.name, each.where) for each in declared.all_of(AppDocument)
    ]
    assert [] == list(declared.all_of(ProviderDocument))


def test_a_name_is_declared_once():
    """The second one is told, with the place of the first."""
    findings = Findings()
    declared = declare({"a.yaml": APP, "b.yaml": f"# again\n{APP}"}, findings, Readings())
    assert ["b.yaml:3: app a is declared twice; keep one; the first is at a.yaml:1"] == [
        str(problem) for problem in findings.problems
    ]
    assert 1 == len(list(declared.all_of(AppDocument)))


def test_a_prompt_is_known_by_its_version_too():
    """Two versions are two prompts, the same one twice is a mistake."""
    findings = Findings()
    files = {"a.prompt": PROMPT.format("1.0"), "b.prompt": PROMPT.format("1.1"), "c.prompt": PROMPT.format("1.0")}
    declared = declare(files, findings, Readings())
    assert {("prompt", "t@1.0"), ("prompt", "t@1.1")} == set(declared.found)
    assert ["c.prompt:3: prompt t@1.0 is declared twice; keep one; the first is at a.prompt:2"] == [
        str(problem) for problem in findings.problems
    ]


def referred(files, kind, name):
    """What a reference from the first application finds wrong."""
    findings = Findings()
    declared = declare({"a.yaml": APP, **files}, findings, Readings())
    at = next(iter(declared.all_of(Keys)))
    findings.problems.clear()
    assert declared.refer(at, ("routes", 0), kind, name, {}) is None
    return [str(problem) for problem in findings.problems]


def test_a_reference_to_nothing_is_told():
    """With the place that refers."""
    assert ["a.yaml:1: app a: routes.1: there is no route 'x'; correct it, or declare that route"] == referred(
        {}, "route", "x"
    )


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("kind: route\nname: x\n", "route", "x"),
        ("kind: model\nname: x\n", "model", "x@1"),
        ("kind: rute\nname: x\n", "route", "x"),
        ("kind: route\n", "route", "x"),
        ("a: [", "route", "x"),
    ],
)
def test_a_reference_to_what_could_not_be_read_is_not_told_again(text, kind, name):
    """One mistake makes one problem."""
    assert [] == referred({"b.yaml": text}, kind, name)


def test_a_release_is_looked_for_in_its_own_document():
    """Another file's mistakes do not hide that it is missing."""
    assert 1 == len(referred({"b.yaml": "a: ["}, "release", "1"))


def test_a_reference_gives_what_it_names():
    """The value that the table has."""
    declared = declare({"a.yaml": APP}, Findings(), Readings())
    at = next(iter(declared.all_of(AppDocument)))
    assert 7 == declared.refer(at, (), "route", "x", {"x": 7})


def keys_of(readings, files):
    """What each document of a set says, by name."""
    return {declared.keys.name: declared.keys for declared in declare(files, Findings(), readings).all_of(Keys)}


def test_a_file_that_has_not_changed_is_not_read_again():
    """Its documents are the very ones that were read before; those of a changed file are new."""
    readings, other = Readings(), APP.replace("name: a", "name: b")
    first = keys_of(readings, {"a.yaml": APP, "b.yaml": other})
    second = keys_of(readings, {"a.yaml": APP, "b.yaml": f"{other}owner: me\n"})
    assert first["a"] is second["a"]
    assert (None, "me") == (first["b"].owner, second["b"].owner)


def test_a_file_of_another_name_is_read_as_its_own():
    """The same text elsewhere has its problems and places there."""
    readings, findings = Readings(), Findings()
    declare({"a.yaml": "a: ["}, Findings(), readings)
    declare({"b.yaml": "a: ["}, findings, readings)
    assert {"b.yaml"} == {problem.file for problem in findings.problems}


def test_the_problems_of_an_unchanged_file_are_told_again():
    """A set stays as wrong as it was."""
    readings, told = Readings(), []
    for _ in range(2):
        findings = Findings()
        declare({"a.yaml": "kind: app\nname: a\nkees: []\n", "b.yaml": "a: ["}, findings, readings)
        told.append([str(problem) for problem in findings.problems])
    assert told[0] == told[1] != []


def test_what_is_no_longer_in_the_set_is_forgotten():
    """Memory holds one set: a file that comes back is read anew."""
    readings = Readings()
    first = keys_of(readings, {"a.yaml": APP, "b.yaml": APP.replace("name: a", "name: b")})
    assert "<Readings of 2 files>" == repr(readings)
    keys_of(readings, {"a.yaml": APP})
    assert "<Readings of 1 files>" == repr(readings)
    third = keys_of(readings, {"a.yaml": APP, "b.yaml": APP.replace("name: a", "name: b")})
    assert (True, False) == (first["a"] is third["a"], first["b"] is third["b"])
