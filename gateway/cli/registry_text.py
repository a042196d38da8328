"""The registry in words: versions with where they stand, what is known of them, and how two differ."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.approval_text import on_whose_word
from gateway.cli.terminal import counted, facts, indented, line, moment, table
from gateway.core.search import found_in
from gateway.core.standing import versioned

STYLES: Mapping[str, str] = {
    "approved": "green",
    "revoked": "bold red",
    "rejected": "red",
    "retired": "red",
    "deprecated": "yellow",
    "draft": "dim",
}

Told = Mapping[str, Any]
"""A version as the operations API tells it."""


def title(told: Told) -> str:
    """Name a version."""
    return versioned(told["kind"], told["name"], told["version"])


def standing_line(told: Told) -> Text:
    """Say in one line where a version stands."""
    said = line((title(told), "bold"), f" {told['digest'][:12]}: ", _word(told["review"]))
    if told["lifecycle"] != "active":
        said.append_text(line(", ", _word(told["lifecycle"]), _end(told)))
    return said.append_text(line(f"; {told['reason']}" if told["reason"] else ""))


def listing(kind: str, versions: Sequence[Told]) -> Iterator[RenderableType]:
    """List versions."""
    if not versions:
        yield line(f"no {kind} is registered")
        return
    rows = (
        (
            line((title(each), "bold")),
            line(_word(each["review"])),
            line(_word(each["lifecycle"]), _end(each)),
            each["digest"][:12],
            f"{each['completeness']:.0%}",
            each["facts"].get("owner"),
        )
        for each in versions
    )
    yield table([kind, "review", "lifecycle", "digest", "known", "owner"], rows)


def finds(kind: str, text: str, versions: Sequence[Told]) -> Iterator[RenderableType]:
    """List the versions that were found by a text, each with where it stands there."""
    if not versions:
        yield line(f"no {kind} says {text!r}; pinion {kind} list tells all of them")
        return
    rows = (
        (
            line((title(each), "bold")),
            line(_word(each["review"])),
            line(_word(each["lifecycle"]), _end(each)),
            each["facts"].get("owner"),
            ", ".join(found_in(title(each), each["facts"], text)),
        )
        for each in versions
    )
    yield table([kind, "review", "lifecycle", "owner", "found in"], rows)


def page(told: Told, now: float) -> Iterator[RenderableType]:
    """Tell everything of a version at wall time `now`."""
    yield standing_line(told)
    yield from (indented(on_whose_word(each, now)) for each in told.get("exceptions", ()))
    known = f"{told['completeness']:.0%}" + (f"; not told: {', '.join(told['missing'])}" if told["missing"] else "")
    registered = f"{moment(told['registered_at'])} by {told['author'] or 'a policy file'}"
    yield indented(facts([("digest", told["digest"]), ("registered", registered), ("provenance", known)]))
    if told["facts"]:
        yield from ("", indented(facts((name, _said(value)) for name, value in told["facts"].items())))
    text = told["content"].get("text")
    others = {name: value for name, value in told["content"].items() if name != "text" and value not in (None, {})}
    yield from ("", indented(facts((name, _said(value)) for name, value in others.items())))
    if text is not None:
        yield from ("", indented(Text(text)))


def differences(one: Told, other: Told, width: int) -> Iterator[RenderableType]:
    """Tell how two versions differ: their content, and what is known of them; texts side by side."""
    if one["digest"] == other["digest"]:
        yield line(f"{title(one)} and {title(other)} have the same content")
    rows = [
        (name, _said(mine), _said(theirs))
        for name, mine, theirs in _changed(_flat(one), _flat(other))
        if name != "content.text"
    ]
    if rows:
        yield table(["", title(one), title(other)], rows)
    texts = [each["content"].get("text") for each in (one, other)]
    if texts[0] is not None and texts[1] is not None and texts[0] != texts[1]:
        yield from ("",) if rows else ()
        yield _side_by_side(title(one), title(other), texts[0], texts[1], width)


def who_depends(dependents: Sequence[Told]) -> Iterator[RenderableType]:
    """Tell who depends on a version."""
    if not dependents:
        yield line("nobody depends on it: no application may meet it, and none has lately")
        return
    rows = (
        (
            line((each["app"], "bold")),
            f"{each['route']}/{each['release']}",
            ", ".join(each["tracks"]) or line(("not now", "dim")),
            "declared" if each["is_declared"] else line(("not declared", "yellow")),
            f"{each['requests']:,}" if each["requests"] else line(("none", "dim")),
            None if each["last_at"] is None else moment(each["last_at"]),
        )
        for each in dependents
    )
    yield table(["application", "by release", "serves", "files", "requests, 7 days", "last"], rows)
    recent = {each["app"] for each in dependents if each["requests"]}
    yield from ("", line(f"{counted(len(recent), 'application')} met it in the last 7 days"))


def _word(state: str) -> tuple[str, str]:
    return state.replace("_", " "), STYLES.get(state, "")


def _end(told: Told) -> str:
    lasts = told["lifecycle"] == "deprecated" and told["retire_at"] is not None
    until = f" until {moment(told['retire_at'])}" if lasts else ""
    return until + ("" if told["successor"] is None else f", then {told['successor']}")


def _said(value: Any) -> str | None:
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _flat(told: Told) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def add(path: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for name, below in value.items():
                add(f"{path}.{name}", below)
        else:
            found[path] = value

    add("content", told["content"])
    add("facts", told["facts"])
    return found


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def _cell(text: str | None, style: str) -> Text:
    return Text() if text is None else line((text, style))


def _side_by_side(first: str, second: str, one: str, other: str, width: int) -> RenderableType:
    """Set two texts beside each other, line by line, with what was removed and added in colour."""
    mine, theirs = one.splitlines(), other.splitlines()
    rows: list[tuple[Text, Text]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        styles = ("", "") if kind == "equal" else ("red", "green")
        pairs = zip_longest(mine[a:b], theirs[c:d])
        rows += [(_cell(left, styles[0]), _cell(right, styles[1])) for left, right in pairs]
    made = table([first, second], rows, whole=0)
    for column in made.columns:
        column.max_width = max(20, width // 2 - 3)
    return made
