"""Which providers may be asked for the usage of a stream."""

from gateway.core.provider import Provider


class UsageAsking:
    """Remembers the providers that refuse OpenAI's `stream_options`, as some that speak its dialect do.

    Each is learnt from its own refusal, and forgotten when the process ends.
    """

    def __init__(self) -> None:
        self._refusing: set[str] = set()

    def __repr__(self) -> str:
        return f"<UsageAsking refused by {sorted(self._refusing)}>"

    def may_ask(self, provider: Provider) -> bool:
        """Say whether a provider has not refused so far."""
        return provider.name not in self._refusing

    def refused(self, provider: Provider) -> None:
        """Note a refusal."""
        self._refusing.add(provider.name)
