"""Feedback: what an application says of an answer, kept with the release that gave it and told to what judges it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.errors import Malformed, NotFound, StoreFault, Unavailable
from gateway.core.feedback import Feedback
from gateway.core.metric import is_feedback_name
from gateway.core.ports import Clock, Ledger
from gateway.core.record import Record
from gateway.core.unit import EXPLICIT_HEADER, find_unit, unit_digest

MAX_TEXT = 1000
MAX_COMMENT = 2000
MAX_NAMED = 1024
MAX_NUMBER = 1e15
"""Numbers beyond would leave nothing of the others that they are averaged with."""

FIELDS = ("request_id", "unit", "model", "route", "name", "value", "comment")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is said, by name, of a request or of the newest one of a unit; `route` narrows the unit's."""

    request_id: str | None
    unit: str | None
    route: str | None
    name: str
    value: bool | float | str
    comment: str | None

    @property
    def number(self) -> float | None:
        """The value as a number, true being 1; None for a text."""
        return None if isinstance(self.value, str) else float(self.value)


def read_assessment(body: Mapping[str, Any]) -> Assessment:
    """Read the body of a request for feedback.

    Raises:
        Malformed: it says which field is wrong, and what it takes.
    """
    unknown = next((name for name in body if name not in FIELDS), None)
    if unknown is not None:
        raise Malformed(f"unknown field {unknown[:50]!r}; there is {', '.join(FIELDS)}")
    request_id, unit = _text(body, "request_id", MAX_NAMED), _text(body, "unit", None)
    if (request_id is None) == (unit is None):
        raise Malformed("say what it is about: request_id, an answer's x-request-id, or unit; one of the two")
    route = _route(body)
    if route is not None and unit is None:
        raise Malformed("model narrows a unit down; leave it out beside request_id")
    name = body.get("name")
    if not isinstance(name, str) or not is_feedback_name(name):
        raise Malformed("name must be 1 to 64 of a to z, 0 to 9, dot, dash and underscore, as in resolved")
    return Assessment(request_id, unit, route, name, _value(body), _text(body, "comment", MAX_COMMENT))


def _route(body: Mapping[str, Any]) -> str | None:
    model, route = _text(body, "model", MAX_NAMED), _text(body, "route", MAX_NAMED)
    if model is not None and route is not None:
        raise Malformed("model and route are two names of the same field; send one of them")
    return model if route is None else route


def _text(body: Mapping[str, Any], name: str, limit: int | None) -> str | None:
    """Give a field that is a text or left out; null is as good as left out."""
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not text or "\0" in text:
        raise Malformed(f"{name} must be a text, not an empty one, without the character NUL")
    if limit is not None and len(text) > limit:
        raise Malformed(f"{name} is over {limit} characters; send a shorter one")
    return text


def _value(body: Mapping[str, Any]) -> bool | float | str:
    value = body.get("value")
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not abs(value) <= MAX_NUMBER:
            raise Malformed(f"value must be a finite number, at most {MAX_NUMBER:g}")
        return value
    if isinstance(value, str):
        return _text(body, "value", MAX_TEXT) or ""
    raise Malformed("value must be true, false, a number or a text")


class Assessments:
    """Takes feedback. `tell(record, name, value)` is told of each number, with the record of the request it is about.

    The newest word counts: the same name said again of the same request takes the place of the earlier one. That is for
    reports alone: what judges while it serves is told of the first, and of no repetition.
    """

    def __init__(self, ledger: Ledger, clock: Clock, tell: Callable[[Record, str, float], None]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._tell = tell

    def __repr__(self) -> str:
        return f"<Assessments into {self._ledger!r}>"

    async def assess(self, app: str, said: Assessment) -> dict[str, Any]:
        """Keep what an application says, and tell what it was attached to.

        Raises:
            NotFound: there is no such request of this application, or its unit has not been seen.
            Unavailable: the ledger cannot be read or written now.
        """
        try:
            record = await self._record(app, said)
            is_new = await self._ledger.assess(_feedback(record, said, self._clock.wall()))
        except StoreFault as fault:
            raise Unavailable("feedback cannot be recorded now; send it again later") from fault
        if is_new and said.number is not None:
            self._tell(record, said.name, said.number)
        return {
            "request_id": record.request_id,
            "route": record.route,
            "release": f"{record.route}/{record.release}" if record.release else None,
            "track": record.track or None,
            "name": said.name,
            "value": said.value,
        }

    async def _record(self, app: str, said: Assessment) -> Record:
        if said.request_id is not None:
            record = await self._ledger.find(said.request_id)
            if record is None or record.app != app or record.shadow_of is not None:
                shown = said.request_id[:100]
                raise NotFound(f"no request {shown!r} of this application is in the ledger; records age out of it")
            return record
        newest = await self._ledger.newest_of_unit(app, unit_digest(_bounded(said.unit or "")), said.route)
        if newest is None:
            on = "" if said.route is None else f" on {said.route[:100]}"
            raise NotFound(f"no request of this application's unit is in the ledger{on}; records age out of it")
        return newest


def _bounded(unit: str) -> str:
    """A unit as requests have it, which digest a long one."""
    found = find_unit((), {EXPLICIT_HEADER: unit}.get, {}, "")
    return unit if found is None else found.value


def _feedback(record: Record, said: Assessment, at: float) -> Feedback:
    return Feedback(
        at=at,
        request_id=record.request_id,
        unit_digest=record.unit_digest,
        app=record.app,
        route=record.route,
        release=record.release,
        track=record.track,
        split=record.split,
        name=said.name,
        value=said.number,
        text=said.value if isinstance(said.value, str) else None,
        comment=said.comment,
    )
