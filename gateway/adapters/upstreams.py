"""The transports of one process: each call goes by the one that its provider's policy names."""

from collections.abc import Iterable, Mapping

from gateway.adapters.upstream_httpx import HttpxUpstream
from gateway.adapters.upstream_native import NativeUpstream
from gateway.core.ports import UpstreamCall, UpstreamListener, UpstreamRequest
from gateway.core.provider import Provider, TransportName


class Upstreams:
    """The port `Upstream` over both transports."""

    def __init__(self) -> None:
        self._transports: Mapping[TransportName, NativeUpstream | HttpxUpstream] = {
            "native": NativeUpstream(),
            "httpx": HttpxUpstream(),
        }

    def __repr__(self) -> str:
        return f"<Upstreams {self._transports}>"

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamCall:
        """Begin a call."""
        return self._transports[request.provider.transport].send(request, listener)

    def retire(self, providers_in_use: Iterable[Provider]) -> None:
        """Close the connections to all other providers."""
        in_use = tuple(providers_in_use)
        for name, transport in self._transports.items():
            transport.retire(provider for provider in in_use if provider.transport == name)

    async def aclose(self) -> None:
        """Cancel every call, close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
