"""A small load balancer by readiness: connections go in turn to the replicas that say that they are ready."""

import threading
from collections.abc import Sequence
from itertools import count
from typing import Self
from urllib.parse import urlsplit

from tests.chaos.fault_proxy import Proxies
from tests.chaos.rig import Replica
from tests.gateway_process import wait_until

PAUSE_SECONDS = 0.1


class Balancer:
    """For the length of a `with` block; `url` is where applications send."""

    def __init__(self, proxies: Proxies, replicas: Sequence[Replica]) -> None:
        self._replicas = replicas
        self._proxy = proxies.before(0)
        self._ready: tuple[int, ...] = ()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._turn = count()
        self._proxy.choose = self._next
        self.url = f"http://127.0.0.1:{self._proxy.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: len(self._ready) == len(self._replicas))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)
        self._proxy.refuse()

    def wait(self, index: int) -> None:
        """Wait until it sends to a replica again."""
        wait_until(lambda: index in self._ready)

    def _look(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            self._ready = tuple(each.index for each in self._replicas if each.is_ready())

    def _next(self) -> int:
        ready = self._ready
        if not ready:
            return 0
        return urlsplit(self._replicas[ready[next(self._turn) % len(ready)]].url).port
