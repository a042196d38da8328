"""One HTTP request of the harness itself, at the cost of a connection and no more."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; status 0 where there was none."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


def asked(url: str, method: str = "GET", body: str | None = None, within: float = 30.0, **headers: str) -> Answer:
    """Ask, and give the answer; header names are written with underscores.

    Raises:
        OSError: there is none within so many seconds.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=within)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        named |= {"content-type": "application/json"}
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, answer.read().decode())
    except HTTPException as error:
        raise ConnectionError(f"{url} does not answer as HTTP: {error!r}") from error
    finally:
        connection.close()
