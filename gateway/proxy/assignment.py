"""Second step: what a request shows of itself, and the release that the route assigns it."""

from collections.abc import Mapping
from typing import Any

from gateway.core.assignment import Assignment, Facts, assign
from gateway.core.route import Route
from gateway.core.unit import Unit, find_unit
from gateway.proxy.admission import Asked
from gateway.proxy.follow_ups import FollowUps
from gateway.wire import headers


def facts_of(asked: Asked, follow_ups: FollowUps) -> Facts:
    """Gather what the assignment of a request may depend on.

    Raises:
        NotContinued: it continues a response of another application.
    """
    fields = asked.caller.head.first

    def header(name: str) -> str | None:
        key = name.encode()
        return headers.text(fields, key) if key in fields else None

    app = asked.caller.app.name
    return Facts(
        app=app,
        found_unit=find_unit(asked.route.sticky_by, header, asked.parsed, app),
        input_chars=_input_chars(asked.route, asked.parsed),
        header=header,
        forced=asked.forced,
        follow_up=_follow_up(asked, follow_ups) if "previous_response_id" in asked.parsed else None,
    )


def assigned(asked: Asked, follow_ups: FollowUps) -> tuple[Assignment, Unit | None]:
    """Assign a release to a request; gives the unit that it was assigned by, too.

    Raises:
        Forbidden: the release that the application forces takes no requests.
        NotContinued: it continues a response of another application.
    """
    facts = facts_of(asked, follow_ups)
    return assign(asked.route, facts), facts.found_unit


def _follow_up(asked: Asked, follow_ups: FollowUps) -> str | None:
    """Give the version that made the response to go on from, where the endpoint has such and the version is known."""
    previous, caller = asked.parsed["previous_response_id"], asked.caller
    if not isinstance(previous, str) or caller.endpoint.name != "responses":
        return None
    return follow_ups.release_of(caller.app.name, asked.route.name, previous)


def _input_chars(route: Route, parsed: Mapping[str, Any]) -> int:
    """Count the characters of input, which only rules about length ask for."""
    if not route.rules or not any(r.input_over is not None or r.input_under is not None for r in route.rules):
        return 0
    inputs = [parsed.get(name) for name in ("system", "instructions", "messages", "input", "prompt")]
    return sum(_chars(value) for value in inputs)


def _chars(value: Any) -> int:
    """Count text inside nested content; the depth is bounded by the body's own limit."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_chars(item) for item in value)
    if isinstance(value, Mapping):
        return sum(_chars(value[name]) for name in ("content", "text", "input") if name in value)
    return 0
