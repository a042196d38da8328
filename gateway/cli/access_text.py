"""Who may what, in words: operators, applications, and what of their access is unused."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.key_text import day, used
from gateway.cli.terminal import counted, line, table

Told = Mapping[str, Any]


def operators_table(operators: Iterable[Told]) -> RenderableType:
    """Make a table of operators."""
    headings = ["operator", "is", "roles", "known by", "last used"]
    rows = (
        [
            each["name"],
            _sort(each),
            _roles(each),
            _ways(each["identified_by"], "nothing"),
            _last_day(each["last_used"]),
        ]
        for each in operators
    )
    return table(headings, rows, whole=2)


def review_text(told: Told) -> Iterator[RenderableType]:
    """Tell of a review: the unused grants first, then operators and applications."""
    unused = [each for each in told["operators"] if each["unused"]]
    if unused:
        said = f"not used for {counted(told['stale_days'], 'day')}, or ever"
        yield line(("unused grants", "bold"), (f"  {said}", "dim"))
        yield table(["operator", "may", "and has not used", "last used"], map(_unused, unused), whole=1)
        yield ""
    yield line(("operators", "bold"))
    yield operators_table(sorted(told["operators"], key=lambda each: str(each["name"])))
    yield ""
    yield line(("applications", "bold"))
    if told["apps"]:
        yield table(["app", "owner", "may call", "known by", "last used"], map(_app, told["apps"]), whole=1)
    else:
        yield line(("none is declared: anyone on this machine may call every route", "yellow"))


def _unused(operator: Told) -> list[str | Text | None]:
    whole = len(operator["may"])
    unused = operator["unused"]
    return [
        operator["name"],
        counted(whole, "permission"),
        line(("all", "yellow")) if len(unused) == whole else ", ".join(unused),
        _last_day(operator["last_used"]),
    ]


def _app(app: Told) -> list[str | Text | None]:
    routes = "every route" if app["routes"] is None else _listed(app["routes"]) or "no route"
    may = f"{routes}, forcing releases" if app["may_force_release"] else routes
    last = app["last_used_at"]
    return [
        app["name"],
        app["owner"],
        may,
        _ways(app["identified_by"], "no key"),
        line(("never", "yellow")) if last is None else used(app),
    ]


def _ways(ways: Sequence[Told], none: str) -> Text:
    """Say how somebody is known, a way a line."""
    return Text("\n").join([line(_way(way)) for way in ways]) if ways else line((none, "yellow"))


def _way(way: Told) -> str:
    """Say how somebody is known, with when that ends."""
    match way["how"]:
        case "oidc":
            return f"{way['subject']} at {way['issuer']}"
        case "local":
            return "being on this machine"
        case "admin_token":
            return "PINION_ADMIN_TOKEN"
        case "declared":
            return str(way["key"])
    end = way["expires_at"]
    return f"{way['key']}, issued by {way['created_by']}" + ("" if end is None else f", until {day(end)}")


def _sort(operator: Told) -> str | None:
    """Say what an operator is; of whoever has the admin token nothing is known."""
    return "person" if operator["is_person"] else "service" if "service" in operator["roles"] else None


def _roles(operator: Told) -> Text | None:
    """Say what roles an operator was given, and on a line of its own what it signs for."""
    given = _listed(role for role in operator["roles"] if role not in ("service", "approver"))
    signs = _listed(operator["signs_for"])
    said = [each for each in (given, None if signs is None else f"signs for {signs}") if each is not None]
    return Text("\n").join(map(line, said)) if said else None


def _listed(names: Iterable[str]) -> str | None:
    return ", ".join(names) or None


def _last_day(at: float | None) -> str | Text:
    return line(("never", "yellow")) if at is None else day(at)
