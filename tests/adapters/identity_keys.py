"""Identity providers for tests: real keys, real tokens, and a real server of key sets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.core.identity_provider import IdentityProvider

ISSUER = "https://id.test"
AUDIENCE = "pinion"

RSA = rsa.generate_private_key(65_537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()

_WRITERS = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}


def jwk(key, kty, **more):
    """The public half of a key as a set holds it."""
    return {**_WRITERS[kty].to_jwk(key.public_key(), as_dict=True), **more}


SET = {
    "keys": [
        jwk(RSA, "RSA", kid="rsa", use="sig"),
        jwk(EC, "EC", kid="ec"),
        jwk(EC_384, "EC", kid="ec384"),
        jwk(ED, "OKP", kid="ed", alg="EdDSA"),
    ]
}
KEYS = {
    "RS256": (RSA, "rsa"),
    "PS256": (RSA, "rsa"),
    "ES256": (EC, "ec"),
    "ES384": (EC_384, "ec384"),
    "EdDSA": (ED, "ed"),
}


def claims(**changes):
    """Claims that are good now; None takes one away."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in made.items() if value is not None}


def token(algorithm="ES256", *, key=None, kid="", headers=None, **changes):
    """A token signed by the provider, or by another `key`."""
    own, own_kid = KEYS.get(algorithm, (None, None))
    named = {"kid": own_kid if kid == "" else kid, **(headers or {})}
    named = {name: value for name, value in named.items() if value is not None}
    return jwt.encode(claims(**changes), key or own, algorithm=algorithm, headers=named)


def provider(jwks, **changes):
    """An identity provider whose keys are there."""
    made = {
        "name": "idp",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": jwks,
        "subject_claim": "sub",
        "algorithms": ("RS256", "ES256", "EdDSA"),
        **changes,
    }
    return IdentityProvider(**made)


@dataclass
class KeyServer:
    """A server of one key set: what it answers, and how often it was asked."""

    url: str = ""
    body: bytes = json.dumps(SET).encode()
    status: int = 200
    headers: dict = field(default_factory=dict)
    asked: int = 0


@contextmanager
def serving_keys(certificate) -> Iterator[KeyServer]:
    """Serve a key set over https for the length of a `with` block."""
    told = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told.asked += 1
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = certificate.server_context().wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_args: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    told.url = f"https://127.0.0.1:{server.server_address[1]}/keys"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
