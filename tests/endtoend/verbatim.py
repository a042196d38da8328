"""A provider that answers with the very bytes that a test gives it, and keeps the very bytes that it received."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Verbatim:
    """One answer for every request until another is set; each closes its connection.

    `received` holds each request as bytes, `sent` counts the bytes of the answers that the system has taken.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.received: list[bytes] = []
        self.sent = 0
        self._answer: tuple[bytes, ...] = ()
        self._closing: threading.Event | None = None
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def says(self, head: str, *pieces: bytes, after: threading.Event | None = None) -> None:
        """Answer with a head, its lines parted by LF, and a body in pieces; close at once or `after` an event."""
        lines = head.strip().replace("\n", "\r\n").encode()
        self._answer, self._closing = (b"HTTP/1.1 " + lines + b"\r\n\r\n", *pieces), after

    def serve(self) -> None:
        """Take connections until the listener is shut down."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while not _is_whole(data):
                piece = connection.recv(1 << 16)
                if not piece:
                    return
                data += piece
            self.received.append(data)
            try:
                for piece in self._answer:
                    connection.sendall(piece)
                    self.sent += len(piece)
            except OSError:
                return
            if self._closing is not None:
                self._closing.wait(10)


def _is_whole(data: bytes) -> bool:
    """Say whether a whole request has come; it must have a Content-Length."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


@contextmanager
def verbatim_provider() -> Iterator[Verbatim]:
    """Run such a provider for the length of a `with` block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Verbatim(listener)
        thread = threading.Thread(target=found.serve, daemon=True)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
