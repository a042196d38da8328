"""The OpenAI dialect: which scanner reads which endpoint, and errors in OpenAI's shape."""

from gateway.core.errors import Malformed
from gateway.wire.dialect import MALFORMED, Scan, StreamScanner
from gateway.wire.json_body import dump
from gateway.wire.openai_chat import ChatScanner, scan_choices, scan_embeddings
from gateway.wire.openai_responses import ResponsesScanner, scan_response
from gateway.wire.shape import decoded


class OpenAI:
    """OpenAI's protocol, and that of the many servers that speak it."""

    __slots__ = ()

    name = "openai"

    def stream_scanner(self, endpoint: str, *, hide_usage: bool) -> StreamScanner:
        """A scanner for one stream; `hide_usage` matters to chat and completions alone."""
        return ResponsesScanner() if endpoint == "responses" else ChatScanner(hide_usage=hide_usage)

    def scan_answer(self, endpoint: str, body: bytes) -> Scan:
        """What a whole answer of status 200 says."""
        if endpoint == "embeddings":
            try:
                return scan_embeddings(body)
            except Malformed:
                return Scan(error=MALFORMED)
        answer = decoded(body)
        if not isinstance(answer, dict):
            return Scan(error=MALFORMED)
        return scan_response(answer) if endpoint == "responses" else scan_choices(answer)

    def error_body(self, *, status: int, code: str, message: str, request_id: str) -> bytes:
        """An error as OpenAI's SDKs read it; the request id stands beside it, where they do not mind it."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        if status == 429:
            kind = "rate_limit_error"
        error = {"message": message, "type": kind, "param": None, "code": code}
        return dump({"error": error, "request_id": request_id})
