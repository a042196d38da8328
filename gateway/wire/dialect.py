"""What a dialect is to the rest of Pinion: a way to read answers in passing, and to say that one failed."""

from dataclasses import dataclass
from typing import Protocol

from gateway.core.usage import Usage

MALFORMED = "malformed"
"""The error of an answer that is not JSON."""


@dataclass(slots=True)
class Scan:
    """What has been found in one answer so far.

    Attributes:
        usage: the tokens, as far as the provider has told them; None while it has not.
        served_model: the model that the answer says it is from.
        fingerprint: the provider's mark of the configuration that answered.
        response_id: the provider's name for the answer.
        finished: the terminal event, or the finish reason of every choice, was seen; a whole answer is
            finished.
        error: the type or code of an error inside the answer; never its message, which may quote the prompt.
        content: something that a person would call an answer was seen: text, reasoning, a tool call, a
            refusal, audio.
        terminal: the event after which the protocol sends nothing more was seen; a finish reason is not yet
            that, for usage may follow it.
    """

    usage: Usage | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    response_id: str | None = None
    finished: bool = False
    error: str | None = None
    content: bool = False
    terminal: bool = False


class StreamScanner(Protocol):
    """Looks at the events of one stream, in order."""

    scan: Scan

    def event(self, raw: bytes) -> bytes | None:
        """Look at one whole raw event.

        Returns the bytes to relay (the same object where nothing changed), or None where the event is not
        to be relayed.
        """

    def failure(self, message: str, code: str = "server_error") -> bytes:
        """The event that tells an application that its stream has failed, as its SDK understands it.

        It goes between two whole events, in the stream's own line ends, and nothing may follow it.
        """


class Dialect(Protocol):
    """One provider protocol."""

    @property
    def name(self) -> str:
        """What policies call it."""

    def stream_scanner(self, endpoint: str, *, hide_usage: bool) -> StreamScanner:
        """A scanner for one stream of an endpoint, by the endpoint's name.

        `hide_usage` says that Pinion asked for the usage and the application did not, so that it must not
        see it.
        """

    def scan_answer(self, endpoint: str, body: bytes) -> Scan:
        """What a whole answer with status 200 says; one that is not JSON has the error `MALFORMED`."""

    def error_body(self, *, status: int, code: str, message: str, request_id: str) -> bytes:
        """The JSON body of an answer that Pinion gives in a provider's place, in the dialect's own shape."""
