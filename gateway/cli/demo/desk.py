"""What an operator does and reads in the demo: a policy file, the operations API, and the simulators' switches."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2

from gateway.cli.demo.policies import PACES, ROUTE, ReleaseName, serving
from gateway.cli.demo.processes import Cast, DemoFailure, write
from gateway.cli.demo.readings import Readings, read
from gateway.cli.gateway_client import GatewayClient

MOST_ATTEMPTS = 10_000
"""How many requests a simulator remembers; the demo makes fewer."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request as it reached a release's model, in wall seconds."""

    started: float
    finished: float
    failed: bool


class Desk:
    """An operator's place before one running cast.

    What takes time runs in threads: who waits for it can be cancelled at any moment, which an asynchronous client's own
    cancel scopes would not always pass on.
    """

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._gateway = GatewayClient(cast.admin_url, None)
        self._http = httpx2.Client(trust_env=False, timeout=10.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    async def set_paces(self) -> None:
        """Tell the simulated providers how fast and how long each model answers."""
        for url in self._cast.simulators.values():
            await self._ask("PUT", f"{url}/_simulator/faults", {"models": PACES})

    async def serve(self, release: ReleaseName, plan: str) -> None:
        """Write the route's policy file with another `serve:` line; the gateway finds it by itself."""
        write(self._cast.policies, serving(release, plan))

    async def trouble(self, release: ReleaseName, behaviour: Mapping[str, object]) -> float:
        """Have a release's model behave otherwise from now on, and give the time in wall seconds."""
        at = time.time()
        changed = {"models": {release.model: behaviour}}
        await self._ask("PATCH", f"{self._cast.simulators['openai']}/_simulator/faults", changed)
        return at

    async def attempts(self, release: ReleaseName, since: float) -> list[Attempt]:
        """Give the attempts that reached a release's model from a time on, as the simulated provider saw them."""
        url = f"{self._cast.simulators['openai']}/_simulator/requests?last={MOST_ATTEMPTS}"
        seen: Sequence[Mapping[str, Any]] = (await self._ask("GET", url)).json()
        return [
            Attempt(one["started"], one["finished"] or one["started"], one["cut"] or one["status"] != 200)
            for one in seen
            if one["model"] == release.model and one["started"] >= since
        ]

    async def readings(self) -> Readings:
        """Scrape the gateway."""
        return read((await self._ask("GET", f"{self._cast.admin_url}/metrics")).text)

    async def open_requests(self) -> int:
        """Give how many requests and copies are under way."""
        told = (await self._ask("GET", f"{self._cast.admin_url}/admin/v1/status")).json()
        return int(told["open_requests"] + told["open_shadows"])

    async def explained_rollout(self) -> dict[str, Any]:
        """Ask what `pinion explain --rollout` asks."""
        return await asyncio.to_thread(self._gateway.explain, {"rollout": ROUTE})

    async def _ask(self, method: str, url: str, body: object = None) -> httpx2.Response:
        """Ask once.

        Raises:
            DemoFailure: there is no good answer.
        """
        try:
            return (await asyncio.to_thread(self._http.request, method, url, json=body)).raise_for_status()
        except httpx2.HTTPError as exc:
            raise DemoFailure(f"{method} {url} failed: {str(exc) or type(exc).__name__}; run the demo again") from exc
