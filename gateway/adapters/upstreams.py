"""The transports of one process: each call goes by the one that its provider's policy names."""

from collections.abc import Iterable
from typing import Protocol

from gateway.adapters.upstream_native import NativeUpstream
from gateway.core.ports import UpstreamCall, UpstreamListener, UpstreamRequest
from gateway.core.provider import Provider, TransportName


class Transport(Protocol):
    """One way to carry calls."""

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamCall:
        """Begin a call."""
        ...

    def retire(self, providers_in_use: Iterable[Provider]) -> None:
        """Close the connections to all other providers."""
        ...

    async def aclose(self) -> None:
        """Cancel every call, close every connection."""
        ...

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, and how many of them carry nothing."""
        ...


class Upstreams:
    """The port `Upstream` over both transports. The one over httpx2 is made when a provider first asks for it."""

    def __init__(self) -> None:
        self._transports: dict[TransportName, Transport] = {"native": NativeUpstream()}

    def __repr__(self) -> str:
        return f"<Upstreams {self._transports}>"

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are on both, and how many of them carry nothing."""
        sizes = [transport.connections for transport in self._transports.values()]
        return sum(size[0] for size in sizes), sum(size[1] for size in sizes)

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamCall:
        """Begin a call."""
        return self._transport(request.provider.transport).send(request, listener)

    def retire(self, providers_in_use: Iterable[Provider]) -> None:
        """Close the connections to all other providers."""
        in_use = tuple(providers_in_use)
        for name in {*self._transports, *(provider.transport for provider in in_use)}:
            self._transport(name).retire(provider for provider in in_use if provider.transport == name)

    async def aclose(self) -> None:
        """Cancel every call, close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, name: TransportName) -> Transport:
        transport = self._transports.get(name)
        if transport is None:
            from gateway.adapters.upstream_httpx import HttpxUpstream  # noqa: PLC0415 - few gateways need it

            transport = self._transports[name] = HttpxUpstream()
        return transport
