"""Approvals in words: requests with what they lack, reviews, exceptions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gateway.cli.terminal import facts, indented, line, moment, table
from gateway.core.duration import format_duration

STYLES: Mapping[str, str] = {
    "open": "yellow",
    "approved": "green",
    "rejected": "bold red",
    "withdrawn": "dim",
    "expired": "red",
    "dismissed": "red",
}

Told = Mapping[str, Any]
"""A request, an exception or a review as the operations API tells it."""


def title(told: Told) -> str:
    """Name what a request is about."""
    return f"{told['name']}/{told['version']}" if told["kind"] == "release" else f"policy {told['name']}"


def request_lines(told: Told, now: float) -> Iterator[RenderableType]:
    """Tell a request: where it stands, what is signed, what is missing."""
    said = line((title(told), "bold"), f" in {told['environment']}: ", (told["state"], STYLES[told["state"]]))
    if told["ended_by"] is not None:
        said.append_text(line(f" by {told['ended_by']}{': ' if told['ended_reason'] else ''}{told['ended_reason']}"))
    yield said
    yield indented(facts(_request_facts(told, now)))


def _request_facts(told: Told, now: float) -> Iterator[tuple[str, Any]]:
    is_open = told["state"] == "open"
    yield "digest", told["digest"][:12]
    yield "requested", f"{moment(told['requested_at'])} by {told['requester']}" + _because(told["reason"])
    yield "rollback plan", told["rollback_plan"] or None
    for each in told["sign_offs"]:
        comment = f": {each['comment']}" if each["comment"] else ""
        yield "signed", f"{each['role']} by {each['person']}, {moment(each['at'])}{comment}"
    yield "missing", line((missing(told), "yellow")) if is_open and told["missing"] else None
    yield "deadline", f"{moment(told['deadline'])}, in {left(told['deadline'], now)}" if is_open else None


def review_page(told: Told, now: float) -> Iterator[RenderableType]:
    """Tell everything that a reviewer needs of a release."""
    name = f"{told['route']}/{told['release']}"
    yield line((name, "bold"), f" in {told['environment']}")
    policy = told["policy"]
    asks = "no approval policy governs it"
    if policy is not None:
        persons = ", ".join(f"{count} of {role}" for role, count in policy["requires"].items())
        asks = f"{policy['name']}: {persons}"
    serves = "yes" if told["out"] is None else line((told["out"], "red"))
    pairs = [("digest", told["digest"]), ("asks", asks), ("stable now", told["stable"]), ("may serve", serves)]
    yield indented(facts(pairs))
    if told["gates"]:
        rows = (
            (each["gate"], line(("holds", "green")) if each["holds"] else line((f"no: {each['why_not']}", "red")))
            for each in told["gates"]
        )
        yield from ("", indented(table(["gate", ""], rows)))
    rows = ((part.replace("_", " "), value[:12]) for part, value in told["parts"].items() if value is not None)
    yield from ("", indented(table(["what is signed", "digest"], rows)))
    if told["request"] is None:
        yield from ("", line(f"nothing is requested; pinion release request {name}"))
        return
    yield ""
    yield from request_lines(told["request"], now)
    if not told["is_current"]:
        yield line(("what was requested has changed since; a sign-off dismisses it", "bold red"))
    elif told["request"]["why_not_you"] is not None:
        yield line((f"not by you: {told['request']['why_not_you']}", "dim"))
    else:
        yield line(f"pinion release approve {name} --digest {told['digest'][:12]}")


def inbox(told: Told, now: float, *, everybodys: bool) -> Iterator[RenderableType]:
    """List what waits, what is overdue, and what serves on an exception."""
    waiting = [each for each in told["requests"] if everybodys or each["waits_for_you"]]
    if waiting:
        yield table(
            ["request", "digest", "asked by", "missing", "deadline", "you"], _waiting_rows(waiting, now), whole=2
        )
    else:
        others = len(told["requests"])
        more = f"; {others} open for others, see --all" if others and not everybodys else ""
        yield line(f"nothing waits for {'a sign-off' if everybodys else 'your sign-off'}{more}")
    if told["exceptions"]:
        yield from (
            "",
            table(["exception", "owner", "ends", "review", "why"], _exception_rows(told["exceptions"], now), whole=2),
        )
    if told["past"]:
        rows = (
            (
                line((title(each), "bold")),
                line((each["state"], STYLES[each["state"]])),
                each["ended_by"],
                moment(each["ended_at"]),
                each["ended_reason"],
            )
            for each in told["past"]
        )
        yield from ("", table(["past request", "", "by", "at", "why"], rows, whole=2))


def exception_line(told: Told, now: float) -> Text:
    """Say in one line what may serve without an approval, and on whose word."""
    name = f"{told['name']}/{told['version']}"
    return line((name, "bold"), f" in {told['environment']}: ").append_text(on_whose_word(told, now))


def on_whose_word(told: Told, now: float) -> Text:
    """Say until when something may serve without an approval, on whose word, and what of its review; overdue in red."""
    kind = "emergency" if told["is_emergency"] else "exception"
    said = line((kind, "bold red" if told["is_overdue"] else "yellow"))
    said.append_text(line(f" until {moment(told['until'])}, on {told['owner']}'s word: {told['reason']}"))
    if told["is_overdue"]:
        said.append_text(line((f"; review is overdue since {moment(told['review_by'])}", "bold red")))
    elif told["reviewed_at"] is not None:
        said.append_text(line(("; reviewed", "green")))
    elif told["review_by"] is not None:
        said.append_text(line(("; review is due in " + left(told["review_by"], now), "red")))
    return said


def missing(told: Told) -> str:
    """Say which sign-offs are missing."""
    return ", ".join(f"{count} of {role}" for role, count in sorted(told["missing"].items()))


def left(at: float, now: float) -> str:
    """Write how long it is until a moment, by its largest unit."""
    seconds = max(0, int(at - now))
    unit = next((each for each in (86_400, 3600, 60) if seconds >= each), 1)
    return format_duration(seconds - seconds % unit)


def _waiting_rows(requests: Sequence[Told], now: float) -> Iterator[Sequence[Any]]:
    for each in requests:
        you = line(("may sign", "green")) if each["waits_for_you"] else line((each["why_not_you"] or "-", "dim"))
        yield (
            line((title(each), "bold")),
            each["digest"][:12],
            each["requester"],
            line((missing(each), "yellow")),
            f"in {left(each['deadline'], now)}",
            you,
        )


def _exception_rows(exceptions: Sequence[Told], now: float) -> Iterator[Sequence[Any]]:
    for each in exceptions:
        review: Any = None
        if each["is_overdue"]:
            review = line((f"overdue since {moment(each['review_by'])}", "bold red"))
        elif each["reviewed_at"] is not None:
            review = line(("reviewed", "green"))
        elif each["review_by"] is not None:
            review = f"due in {left(each['review_by'], now)}"
        yield (
            line((f"{each['name']}/{each['version']}", "bold")),
            each["owner"],
            f"in {left(each['until'], now)}",
            review,
            each["reason"],
        )


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
