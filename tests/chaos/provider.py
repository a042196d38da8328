"""The simulated provider as a process of its own, so that neither the harness nor the clients take its time."""

import json
import re
import subprocess
import sys
from typing import Any, Self

from tests.chaos.asking import asked
from tests.gateway_process import inherited


class Provider:
    """`pinion simulator` on a free port, for the length of a `with` block; `behaviour` is a faults document."""

    def __init__(self, **behaviour: Any) -> None:
        self._behaviour = behaviour
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "gateway", "simulator", "--port", "0"]
        self._process = subprocess.Popen(
            command, env=inherited(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
        )
        found = re.search(r"http://\S+", self._process.stdout.readline())
        self.url = found[0]
        self.behave(**self._behaviour)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()

    def behave(self, **faults: Any) -> None:
        """Lay these keys over what every model does; None takes a key away."""
        self._ask("PATCH", "faults", faults)

    def behave_model(self, name: str, **faults: Any) -> None:
        """As `behave`, for one upstream model."""
        self._ask("PATCH", "faults", {"models": {name: faults}})

    def last_started(self) -> dict[str, float]:
        """When the latest request that named an upstream model came, in wall seconds, by the model."""
        return {each["model"]: each["started"] for each in self._ask("GET", "requests?last=10000", None)}

    def forget(self) -> None:
        """Forget the requests."""
        self._ask("DELETE", "requests", None)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        raw = None if body is None else json.dumps(body)
        return asked(f"{self.url}/_simulator/{path}", method, raw).json()
