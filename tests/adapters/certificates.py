"""Certificates for localhost, made for one test run by an authority of its own."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, and the authority that vouches for it; PEM files."""

    cert: Path
    key: Path
    authority: Path

    def server_context(self, asks_for: Path | None = None) -> ssl.SSLContext:
        """A TLS context for a server that shows it; clients must show one that `asks_for` vouches for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if asks_for is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(asks_for)
        return context


def issue(folder: Path) -> Certificate:
    """Make a certificate for localhost and 127.0.0.1."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "authority.pem")
    authority.cert_pem.write_to_path(str(made.authority))
    issued.private_key_pem.write_to_path(str(made.key))
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(made.cert), append=number > 0)
    return made
