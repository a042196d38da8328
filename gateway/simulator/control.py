"""The simulator's own paths, under `/_simulator/`: faults, received requests, counters."""

from typing import Any
from urllib.parse import parse_qs

import orjson

from gateway.simulator.behaviour import BehaviourError, Faults
from gateway.simulator.connection import Request
from gateway.simulator.journal import Journal

PREFIX = "/_simulator/"


def controlled(request: Request, journal: Journal, faults: Faults) -> tuple[int, Any, Faults]:
    """Carry out a request under the prefix: the status, the JSON to answer, the faults from now on."""
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "faults":
            return 200, faults.document, faults
        case ("PUT" | "PATCH") as method, "faults":
            return _change(method, request.body, faults)
        case "GET", "requests":
            return _requests(request, journal, faults)
        case "DELETE", "requests":
            journal.clear()
            return 200, {"cleared": True}, faults
        case "GET", "stats":
            return 200, journal.stats(), faults
        case _:
            known = "GET, PUT, PATCH faults; GET, DELETE requests; GET stats"
            return 404, {"error": f"{request.method} {request.path} is unknown; there are {known}"}, faults


def _change(method: str, body: bytes, faults: Faults) -> tuple[int, Any, Faults]:
    """Replace or merge the faults; a document that cannot be used changes nothing."""
    try:
        document = orjson.loads(body)
        changed = Faults.read(document) if method == "PUT" else faults.merged(document)
    except (BehaviourError, orjson.JSONDecodeError) as error:
        return 400, {"error": str(error)}, faults
    return 200, changed.document, changed


def _requests(request: Request, journal: Journal, faults: Faults) -> tuple[int, Any, Faults]:
    last = parse_qs(request.target.partition("?")[2]).get("last", ["100"])[-1]
    if not last.isdecimal():
        return 400, {"error": f"last must be a whole number, not {last!r}"}, faults
    return 200, [one.as_json() for one in journal.requests(int(last))], faults
