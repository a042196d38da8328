"""What a policy set declares: its documents by kind and name, and what is wrong among them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.control.policy_documents import Keys
from gateway.control.policy_schema import KINDS, meant, problem_at, read_keys
from gateway.control.policy_text import Document, Place, Reading, one_line, read_documents
from gateway.control.policy_values import Where
from gateway.core.errors import Problem

K = TypeVar("K", bound=Keys)
K_co = TypeVar("K_co", bound=Keys, covariant=True)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Declaration(Generic[K_co]):
    """A document with its keys."""

    document: Document
    keys: K_co

    @property
    def where(self) -> Where:
        """Where it begins."""
        return self.where_of(())

    def where_of(self, place: Place) -> Where:
        """Where a place of it stands."""
        return Where(self.document.file, self.document.line_of(place))


@dataclass(slots=True)
class Findings:
    """Everything found wrong, and everything worth a warning, while a set is read."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, declared: Declaration[Keys], place: Place, said: str, remedy: str) -> None:
        """Note a problem at a place; `said` goes on after the place's name."""
        self.problems.append(problem_at(declared.document, place, said, remedy))

    def warn(self, declared: Declaration[Keys], place: Place, said: str, remedy: str) -> None:
        """Note a warning at a place."""
        self.warnings.append(problem_at(declared.document, place, said, remedy))


@dataclass(slots=True)
class Declared:
    """The documents of a set by kind and name (a prompt's name is `name@version`).

    `spoilt` holds the (kind, name) of documents that could not be read, and `cut` says that some file could
    not be read to its end: references to what may be in there are not reported again.
    """

    findings: Findings
    found: dict[tuple[str, str], Declaration[Keys]] = field(default_factory=dict)
    spoilt: set[tuple[str, str]] = field(default_factory=set)
    cut: bool = False

    def all_of(self, kind: type[K]) -> Iterator[Declaration[K]]:
        """Give every readable document of a kind, in order of files and lines."""
        for declared in self.found.values():
            if isinstance(declared.keys, kind):
                yield Declaration(declared.document, declared.keys)

    def refer(self, at: Declaration[Keys], place: Place, kind: str, name: str, among: Mapping[str, V]) -> V | None:
        """Give what a name refers to, or note that there is none."""
        value = among.get(name)
        if value is None and not self.is_lost(kind, name):
            remedy = meant(name, among) or f"correct it, or declare that {kind}"
            self.findings.wrong(at, place, f": there is no {kind} {one_line(name)!r}", remedy)
        return value

    def is_lost(self, kind: str, name: str) -> bool:
        """Say whether a document of that name may stand where the set could not be read."""
        if kind == "release":
            return False
        return self.cut or (kind, name.partition("@")[0]) in self.spoilt


class Readings:
    """What the files of the last set said. A file that has not changed since is not read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Reading, list[Keys | list[Problem]]]] = {}

    def __repr__(self) -> str:
        return f"<Readings of {len(self._known)} files>"

    def read(self, files: Mapping[str, str]) -> Iterator[tuple[Reading, list[Keys | list[Problem]]]]:
        """Read each file of a set, in order of names: its documents, and the keys or the problems of each."""
        known, self._known = self._known, {}
        for file in sorted(files):
            place = file, files[file]
            read = known.get(place)
            if read is None:
                reading = read_documents(*place)
                read = reading, [read_keys(document) for document in reading.documents]
            self._known[place] = read
            yield read


def declare(files: Mapping[str, str], findings: Findings, readings: Readings) -> Declared:
    """Take every document of a set of files (name to text)."""
    declared = Declared(findings)
    for reading, keys_of_each in readings.read(files):
        findings.problems += reading.problems
        declared.cut = declared.cut or reading.cut
        for document, keys in zip(reading.documents, keys_of_each, strict=True):
            _take(declared, document, keys)
    return declared


def _take(declared: Declared, document: Document, keys: Keys | list[Problem]) -> None:
    if isinstance(keys, list):
        kind, name = document.value.get("kind"), document.value.get("name")
        declared.findings.problems += keys
        declared.cut = declared.cut or not (isinstance(name, str) and str(kind) in KINDS)
        declared.spoilt.add((str(kind), str(name)))
        return
    kind, name = _identity(keys)
    first = declared.found.get((kind, name))
    if first is None:
        declared.found[kind, name] = Declaration(document, keys)
        return
    problem, remedy = f"{kind} {name} is declared twice", f"keep one; the first is at {first.where}"
    declared.findings.problems.append(Problem(document.file, document.line_of(("name",)), problem, remedy))


def _identity(keys: Keys) -> tuple[str, str]:
    """Name a document: its kind and name, and for a prompt the version too."""
    given = keys.model_dump(include={"kind", "name", "version"})
    name = f"{given['name']}@{given['version']}" if "version" in given else given["name"]
    return given["kind"], name
