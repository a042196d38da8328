"""From the text of policy files to documents whose every value knows its line.

The YAML that policies may use is a small one: no anchors, aliases, tags, merge keys or duplicate keys, and
plain scalars read by the core schema of YAML 1.2, so that `no`, `on` and dates stay text. Keys are always
text, as written.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.core.errors import Problem

Place = tuple[str | int, ...]
"""Where a value stands in its document: keys, and indexes from 0."""

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_NUMBER_CHARS = 64

CARD = ".card.md"
"""How the names of model cards end."""

_FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, ten times as fast, where PyYAML was built with it."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class WrittenInt(int):
    """A whole number that keeps how it was written, since `1` may stand for a version's text."""

    written: str


class WrittenFloat(float):
    """A decimal number that keeps how it was written, since `1.0` may stand for a version's text."""

    written: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a policy file: its keys and values, and the line of each.

    `lines` maps a place to the line, from 1, of its key or of its item in a list; the empty place is the
    document's.
    """

    file: str
    value: Mapping[str, Any]
    lines: Mapping[Place, int]

    @property
    def line(self) -> int:
        """The document's first line."""
        return self.lines[()]

    def line_of(self, place: Place) -> int:
        """Give the line of a place, or of the nearest one around it that was written."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]


@dataclass(slots=True)
class Reading:
    """What could be read of a file, every problem met, and whether documents may be lost to one of them."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    cut: bool = False


def read_documents(file: str, text: str) -> Reading:
    """Read one file: `*.prompt`, `*.card.md`, or YAML, by its name. YAML stops at its first error of syntax.

    A file without one document that holds keys is a problem: written by halves, or emptied, it would take away what
    it declared.
    """
    if file.endswith(".prompt"):
        return _read_prompt(file, text)
    if file.endswith(CARD):
        return _read_card(file, text)
    reading = _read_yaml(file, text, first_line=1)
    if not reading.documents and not reading.problems:
        remedy = "write what it is to declare, or delete the file if that is meant"
        reading.problems.append(Problem(file, 1, "the file declares nothing", remedy))
        reading.cut = True
    return reading


def _read_yaml(file: str, text: str, *, first_line: int) -> Reading:
    """Read YAML by the fast parser, and what that one refuses by the other, whose words and places are the exacter."""
    if "\N{BYTE ORDER MARK}" in text[1:]:  # the fast one passes over it
        return _read_exactly(file, text, first_line=first_line)
    try:
        reader = _Reader(file, text, first_line, _FASTEST)
        reader.read()
    except (yaml.YAMLError, ValueError, OverflowError, _Unbuildable):
        return _read_exactly(file, text, first_line=first_line)
    return reader.reading


def _read_exactly(file: str, text: str, *, first_line: int) -> Reading:
    reader = _Reader(file, text, first_line, yaml.SafeLoader)
    try:
        reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (0 if mark is None else mark.line)
        said = one_line(str(error.problem or error.context))
        reader.cut_short(line, f"not valid YAML: {said}", "correct it here or just above")
    except yaml.reader.ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        reader.cut_short(line, f"the character U+{ord(text[error.position]):04X} cannot stand in YAML", "remove it")
    except _Unbuildable as error:
        reader.cut_short(reader.line, *error.args)
    except (ValueError, OverflowError):  # the parser's own, for an escape or directive with an impossible number
        reader.cut_short(reader.line, "not valid YAML: a number that cannot be", "correct it here or below")
    return reader.reading


def _read_prompt(file: str, text: str) -> Reading:
    """Read a prompt's front matter; its text becomes the document's `text` as it stands.

    The line end after the closing marker and one at the end of the file belong to the file, not to the text.
    """
    reading, rest, line = _read_front(file, text, "prompt")
    for front in reading.documents:
        if front.value.get("kind", "prompt") != "prompt":
            remedy = "write kind: prompt, or move the document to a .yaml file"
            problem = "a .prompt file holds a document of another kind"
            reading.problems.append(Problem(file, front.line_of(("kind",)), problem, remedy))
        _refuse_key(reading, front, "text", "remove it; what follows the second --- is the text")
        lines_known = {**front.lines, ("text",): line}
        reading.documents = [Document(file, {**front.value, "text": re.sub(r"\r?\n\Z", "", rest)}, lines_known)]
    return reading


def _read_card(file: str, text: str) -> Reading:
    """Read a card's front matter and its Markdown, which becomes `text` with LF for its line ends.

    The document's kind is `card`, and its name the subject that its front matter says.
    """
    reading, rest, line = _read_front(file, text.replace("\r\n", "\n"), "card")
    for front in reading.documents:
        for key in ("kind", "name", "text"):
            _refuse_key(reading, front, key, "remove it; what a card is about stands in governance.subject")
        governance = front.value.get("governance")
        subject = governance.get("subject") if isinstance(governance, Mapping) else None
        value = {**front.value, "kind": "card", "name": str(subject), "text": rest}
        lines_known = {**front.lines, ("text",): line}
        reading.documents = [Document(file, value, lines_known)]
    return reading


def _read_front(file: str, text: str, noun: str) -> tuple[Reading, str, int]:
    """Read the front matter of a file: one document, unless the reading was cut; and what follows, with its line."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text.removeprefix("\N{BYTE ORDER MARK}"))
    markers = [number for number, line in enumerate(lines) if line.rstrip() == "---"]
    if len(markers) < 2 or markers[0] != 0:
        remedy = "write --- on the first line, the keys below it, --- again, and then the text"
        return Reading(problems=[Problem(file, 1, f"the {noun} file has no front matter", remedy)], cut=True), "", 1
    end = markers[1]
    reading = _read_yaml(file, "".join(lines[1:end]), first_line=2)
    if len(reading.documents) != 1 and not reading.cut:
        problem = f"the front matter holds {len(reading.documents)} documents"
        reading.problems.append(Problem(file, 1, problem, "write one set of keys between the --- lines"))
        reading.cut = True
    if reading.cut:
        reading.documents = []
    return reading, "".join(lines[end + 1 :]), end + 2


def _refuse_key(reading: Reading, front: Document, key: str, remedy: str) -> None:
    if key in front.value:
        problem = f"the front matter has a key {key!r}"
        reading.problems.append(Problem(front.file, front.line_of((key,)), problem, remedy))


class _Unbuildable(Exception):
    """Why the rest of a file cannot be built: a problem and its remedy."""


class _Reader:
    """Builds values from a YAML parser's events, so that depth and size are bounded while building."""

    def __init__(self, file: str, text: str, first_line: int, loader: Any) -> None:
        self.reading = Reading()
        self.line = first_line
        self._file = file
        self._first_line = first_line
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=loader))
        self._lines: dict[Place, int] = {}
        self._nodes = 0

    def read(self) -> None:
        """Read each document that holds keys; one that holds nothing is passed over."""
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            root = next(self._events)
            self._lines = {(): self._line(root)}
            value = self._value(root, ())
            if isinstance(value, dict):
                self.reading.documents.append(Document(self._file, value, self._lines))
            elif value is not None:
                self._problem(root, "the document is not a set of keys", "write kind: and name: first")

    def cut_short(self, line: int, problem: str, remedy: str) -> None:
        """Note why the rest of the file is lost."""
        self.reading.problems.append(Problem(self._file, line, problem, remedy))
        self.reading.cut = True

    def _value(self, event: Any, place: Place) -> Any:
        self._nodes += 1
        self.line = self._line(event)
        if self._nodes > MAX_NODES:
            raise _Unbuildable(f"the file holds more than {MAX_NODES} values", "split it into several files")
        if len(place) > MAX_DEPTH:
            raise _Unbuildable(f"values nest deeper than {MAX_DEPTH}", "write it flatter")
        self._refuse_extras(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place)
        return self._scalar(event) if isinstance(event, yaml.ScalarEvent) else f"*{event.anchor}"

    def _refuse_extras(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._problem(event, f"an alias (*{event.anchor}) is not allowed", "write the value out")
            return
        if event.anchor is not None:
            self._problem(event, f"an anchor (&{event.anchor}) is not allowed", "remove it")
        if event.tag is not None:
            self._problem(event, f"a tag ({one_line(event.tag)}) is not allowed", "remove it; quote text if need be")

    def _mapping(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            below = (*place, key)
            if key in found:
                first = self._lines[below]
                remedy = f"keep one; the first is on line {first}"
                self._problem(event, f"the key {one_line(key)!r} is written twice", remedy)
            self._lines.setdefault(below, self._line(event))
            value = self._value(next(self._events), below)
            found.setdefault(key, value)
        return found

    def _key(self, event: Any) -> str:
        """Give a key's own text; one that is not a scalar ends the reading: nothing below it has a place."""
        if not isinstance(event, yaml.ScalarEvent):
            self.line = self._line(event)
            raise _Unbuildable("a key must be plain text", "write a name followed by a colon")
        self._refuse_extras(event)
        if event.value == "<<" and not event.style:
            self._problem(event, "a merge key (<<) is not allowed", "write the keys out")
        return self._text(event)

    def _sequence(self, place: Place) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            below = (*place, len(found))
            self._lines[below] = self._line(event)
            found.append(self._value(event, below))
        return found

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text):
            return text
        if len(text) <= MAX_NUMBER_CHARS:
            number = _number(text)
            if math.isfinite(number):
                return number
        self._problem(event, f"the number {one_line(text)} is not a finite one of fair length", "correct or quote it")
        return text

    def _text(self, event: Any) -> str:
        """Give a scalar's text; half of a surrogate pair, which an escape can write, is not text."""
        text = sys.intern(str(event.value))  # files of many routes say the same again and again
        if _SURROGATE.search(text):
            self._problem(event, "an escape stands for half a character", "write the character itself")
            return _SURROGATE.sub("?", text)
        return text

    def _line(self, event: Any) -> int:
        return self._first_line + int(event.start_mark.line)

    def _problem(self, event: Any, problem: str, remedy: str) -> None:
        self.reading.problems.append(Problem(self._file, self._line(event), problem, remedy))


def _number(text: str) -> WrittenInt | WrittenFloat:
    """Read a number of the core schema and keep its text."""
    number: WrittenInt | WrittenFloat
    if _INTEGER.fullmatch(text):
        number = WrittenInt(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    else:
        number = WrittenFloat(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    number.written = text
    return number


def stays_text(text: str) -> bool:
    """Say whether a plain scalar of these characters is read as text, not as a number, a truth or nothing."""
    return text not in _WORDS and not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text)


def one_line(text: str) -> str:
    """Give a text as it may stand in a message: on one line, of fair length, whatever the file holds."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def plain(value: Any) -> Any:
    """Give a document's value as plain JSON data: the numbers no longer remember how they were written."""
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [plain(below) for below in value]
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value
