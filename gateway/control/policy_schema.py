"""From a document to the keys of its kind, with a problem for everything that is not as it should be."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.control.access_documents import IdentityProviderDocument, OperatorDocument
from gateway.control.approval_documents import ApprovalPolicyDocument
from gateway.control.card_documents import CardDocument
from gateway.control.model_documents import DatasetDocument, ModelDocument
from gateway.control.policy_documents import AppDocument, Keys, PlanDocument, ProviderDocument, SigningKeyDocument
from gateway.control.policy_fields import brief
from gateway.control.policy_text import CARD, Document, Place, one_line
from gateway.control.route_documents import PromptDocument, RouteDocument
from gateway.core.duration import format_duration
from gateway.core.errors import Problem

KINDS: Mapping[str, type[Keys]] = {
    "provider": ProviderDocument,
    "model": ModelDocument,
    "dataset": DatasetDocument,
    "app": AppDocument,
    "rollout_plan": PlanDocument,
    "route": RouteDocument,
    "prompt": PromptDocument,
    "operator": OperatorDocument,
    "identity_provider": IdentityProviderDocument,
    "signing_key": SigningKeyDocument,
    "card": CardDocument,
    "approval_policy": ApprovalPolicyDocument,
}

_AnyDocument = Annotated[
    ProviderDocument
    | ModelDocument
    | DatasetDocument
    | AppDocument
    | PlanDocument
    | RouteDocument
    | PromptDocument
    | OperatorDocument
    | IdentityProviderDocument
    | SigningKeyDocument
    | ApprovalPolicyDocument,
    Field(discriminator="kind"),
]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_WANTED: Mapping[str, tuple[str, str]] = {
    "string_type": ("text", "write text, in quotes where it looks like something else"),
    "int_type": ("a whole number", "write one without quotes or decimals"),
    "float_type": ("a number", "write one without quotes"),
    "bool_type": ("true or false", "write one of the two"),
    "dict_type": ("a set of keys", "write its keys, indented below it"),
    "model_type": ("a set of keys", "write its keys, indented below it"),
    "list_type": ("a list", "write it in brackets, or one item a line after a dash"),
}
"""What each error of pydantic's wanted, and how to give it."""

_BESIDE_SECRETS = frozenset(("credential", "keys", "tokens"))
"""Keys under which people put the secret itself by mistake, as in `credential: sk-...`: a message does not show it."""

_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "over"),
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}


def read_keys(document: Document) -> Keys | list[Problem]:
    """Read the keys of a document's kind, or say everything that is wrong with them."""
    kind = document.value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = "the document has no kind" if "kind" not in document.value else f"there is no kind {brief(kind)}"
        known = [name for name in KINDS if name != "card"]
        remedy = meant(kind, known) or f"write one of {', '.join(known)}"
        return [Problem(document.file, document.line_of(("kind",)), said, remedy)]
    if kind == "card" and not document.file.endswith(CARD):
        remedy = f"write its keys as the front matter of a file whose name ends in {CARD}"
        return [Problem(document.file, document.line_of(("kind",)), "a card stands in a file of its own", remedy)]
    empty = list(_without_value(document.value, ()))
    problems = [problem_at(document, place, " has no value", "write one, or remove the key") for place in empty]
    try:
        keys = KINDS[kind].model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [_told(document, kind, detail) for detail in details if detail["loc"] not in empty]
    return problems or keys


def _without_value(value: Any, place: Place) -> Iterator[Place]:
    """Find keys that were left empty; a parameter and a JSON Schema may say null and mean it."""
    if value is None:
        yield place
    elif place[-1:] == ("output_schema",) or (place[:1] == ("releases",) and place[2:] == ("params",)):
        return
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _without_value(below, (*place, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _without_value(below, (*place, index))


def _told(document: Document, kind: str, detail: ErrorDetails) -> Problem:
    """Say one of pydantic's errors as a problem."""
    place = tuple(step for step in detail["loc"] if step != "[key]")
    if detail["type"] == "extra_forbidden":
        return _unknown_key(document, kind, place)
    return problem_at(document, place, *_said(detail["type"], detail))


def _said(sort: str, detail: ErrorDetails) -> tuple[str, str]:
    """Give what is wrong at an error's place, and the remedy."""
    given, context = detail["input"], detail.get("ctx", {})
    if sort == "missing":
        return " is missing", "add it"
    if sort == "value_error":
        problem, _, remedy = str(context["error"]).rpartition("; ")
        return f": {problem}", remedy
    if sort in _WANTED:
        wanted, remedy = _WANTED[sort]
        may_be_secret = isinstance(given, str) and detail["loc"][0] in _BESIDE_SECRETS
        shown = "text" if may_be_secret else brief(given)
        return f" is {shown}, not {wanted}", remedy
    if sort in _LIMITS:
        name, words = _LIMITS[sort]
        limit = format_duration(context[name]) if isinstance(given, str) else f"{context[name]:g}"
        return f" is {brief(given)}", f"it must be {words} {limit}"
    if sort == "literal_error":
        return f" is {brief(given)}", f"write {context['expected']}"
    return " is empty", "write at least one, or remove the key where it may be left out"


def _unknown_key(document: Document, kind: str, place: Place) -> Problem:
    *around, key = place
    inside = f"{shown_place(around)} of {subject(document)}" if around else subject(document)
    known = _keys_at(kind, around)
    guess = meant(key, known)
    remedy = f"{guess} or remove it" if guess else f"remove it; the keys here are {', '.join(known)}"
    problem = f"unknown key {one_line(str(key))!r} in {inside}"
    return Problem(document.file, document.line_of(place), problem, remedy)


def problem_at(document: Document, place: Place, said: str, remedy: str) -> Problem:
    """Make a problem of what is wrong at a place; `said` goes on after the place's name."""
    named = f"{subject(document)}: {shown_place(place)}" if place else subject(document)
    return Problem(document.file, document.line_of(place), named + said, remedy)


def subject(document: Document) -> str:
    """Name a document in a message: `route support-assistant`."""
    kind, name = document.value.get("kind"), document.value.get("name")
    return f"{kind} {one_line(name)}" if isinstance(name, str) else f"this {kind}"


def shown_place(place: Iterable[str | int]) -> str:
    """Name a place in a document: keys joined by dots, items of a list counted from 1."""
    return ".".join(str(step + 1) if isinstance(step, int) else one_line(step) for step in place)


def meant(name: Any, known: Iterable[str]) -> str | None:
    """Guess which of the known names was meant, as the beginning of a remedy."""
    if not isinstance(name, str) or len(name) > 128:
        return None
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}? correct it" if close else None


@cache
def _schema_of(kind: str) -> Mapping[str, Any]:
    """Give the JSON Schema of a kind; made for the first unknown key, since most starts need none."""
    return KINDS[kind].model_json_schema()


def _keys_at(kind: str, place: Iterable[str | int]) -> list[str]:
    """List the keys that a place takes, found by walking the kind's JSON Schema."""
    schema = _schema_of(kind)
    definitions = schema.get("$defs", {})
    for step in place:
        if isinstance(step, int):
            part = schema["items"]
        elif step in schema.get("properties", {}):
            part = schema["properties"][step]
        else:
            part = next(iter(schema["patternProperties"].values()))
        schema = _with_keys_or_items(part, definitions)
    return list(schema["properties"])


def _with_keys_or_items(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Of what a part of a schema allows, give the choice that has something below it."""
    choices = part.get("anyOf", (part,))
    resolved = (definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in choices)
    return next(each for each in resolved if each["type"] in ("object", "array"))


def json_schema() -> dict[str, Any]:
    """Give one JSON Schema (draft 2020-12) for a policy document of any kind, for editors."""
    any_document: TypeAdapter[Any] = TypeAdapter(_AnyDocument)
    schema = _tidied(any_document.json_schema())
    schema.pop("discriminator")
    return {"$schema": _DRAFT, "title": "A policy document of Pinion", **schema}


def _tidied(part: Any) -> Any:
    """Drop what editors do not need: titles, defaults of many keys, and null, which says "left out"."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    choices = [choice for choice in part.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        part = {**choices[0], **{key: below for key, below in part.items() if key != "anyOf"}}
    return {
        key: {name: _tidied(inner) for name, inner in below.items()}
        if key in ("properties", "$defs")
        else _tidied(below)
        for key, below in part.items()
        if key != "title" and not (key == "default" and (below is None or isinstance(below, dict)))
    }
