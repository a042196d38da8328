"""A real receiver of webhooks on loopback, with TLS, for tests of what posts to it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
OTHER_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtb2YtZW5vdWdoLWJ5dGVz"


class Receiver:
    """A server that keeps what it gets: bodies with their headers. It answers with `status`."""

    def __init__(self, certificate, port=0) -> None:
        self.got = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((body, dict(self.headers.items())))
                self.send_response(receiver.status)
                self.send_header("location", "https://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.socket = certificate.server_context().wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def messages(self, secret=SECRET):
        """What came, as (id, object), once each signature is verified."""
        return [(headers["webhook-id"], Webhook(secret).verify(body, headers)) for body, headers in list(self.got)]

    def stop(self):
        """Listen no more; called again, nothing."""
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
