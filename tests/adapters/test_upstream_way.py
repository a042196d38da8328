"""How providers are reached: which of them share connections, and the certificates that either side shows."""

import ssl
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization as keys

from gateway.adapters.upstream_way import Way
from gateway.core.provider import ClientCertificate, Credential, Provider, Timeouts
from tests.adapters.certificates import issue

PROVIDER = Provider("acme", "openai", "https://localhost:1/v1")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another, of another authority."""
    return issue(tmp_path_factory.mktemp("other"))


def shown(certificate) -> ClientCertificate:
    """A certificate as a provider's policy names it."""
    return ClientCertificate(str(certificate.cert), str(certificate.key))


def locked(folder, certificate):
    """The key of a certificate in a file that asks for a passphrase."""
    key = keys.load_pem_private_key(certificate.key.read_bytes(), None)
    sealed = keys.BestAvailableEncryption(b"open sesame")
    path = folder / "locked.pem"
    path.write_bytes(key.private_bytes(keys.Encoding.PEM, keys.PrivateFormat.PKCS8, sealed))
    return path


def shake_hands(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> ssl.SSLObject:
    """Let both talk until the handshake is done, in memory; give the server's side of it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert [] == waiting
    return server


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"base_url": "https://localhost:2/v1"},
        {"ca_file": "authority.pem"},
        {"client_certificate": ClientCertificate("cert.pem", "key.pem")},
        {"proxy": "http://localhost:3128"},
        {"http2": True},
        {"max_connections": 7},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_makes_another_way(changed):
    """Providers that differ in what a connection is made of, or in how many there may be, share none."""
    assert Way.to(PROVIDER) != Way.to(replace(PROVIDER, **changed))
    assert Way.to(replace(PROVIDER, **changed)) == Way.to(replace(PROVIDER, **changed))


def test_what_does_not_make_another_way():
    """Deadlines, retries and credentials belong to a call, not to its connection."""
    same = replace(
        PROVIDER, timeouts=Timeouts(connect=1, idle=1), retries=5, credential=Credential("env:KEY", b"x", b"sk-secret")
    )
    assert Way.to(PROVIDER) == Way.to(same)
    assert hash(Way.to(PROVIDER)) == hash(Way.to(same))


def test_a_proxys_password_is_not_shown():
    """A way may be printed; its proxy's address holds a password."""
    assert "hush" not in repr(Way.to(replace(PROVIDER, proxy="http://someone:hush@localhost:3128")))


def test_certificates_and_names_are_verified(certificate):
    """Whatever a provider states, nobody is trusted unseen."""
    for changed in ({}, {"ca_file": str(certificate.authority)}, {"client_certificate": shown(certificate)}):
        context = Way.to(replace(PROVIDER, **changed)).tls()
        assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)


def test_the_systems_certificates_are_read_once():
    """Reading them takes long, so ways that need nothing else share them."""
    assert Way.to(PROVIDER).tls() is Way.to(replace(PROVIDER, name="other", max_connections=5)).tls()


def test_what_is_shared_is_not_used_for_http_2():
    """httpcore2 writes into a context that it offers HTTP/2: in a shared one, calls that cannot speak it would too."""
    assert Way.to(PROVIDER).tls() is not Way.to(replace(PROVIDER, http2=True)).tls()


def test_a_ca_file_is_all_that_is_trusted(certificate, other):
    """A provider of another authority is refused, and so is the system's word for it."""
    trusting = Way.to(replace(PROVIDER, ca_file=str(certificate.authority))).tls()
    assert 1 == len(trusting.get_ca_certs())
    assert shake_hands(trusting, certificate.server_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(trusting, other.server_context())


def test_a_client_certificate_is_shown(certificate, other):
    """A provider that asks who connects is told; without one it refuses."""
    server = certificate.server_context(asks_for=other.authority)
    trusting = replace(PROVIDER, ca_file=str(certificate.authority))
    showing = shake_hands(Way.to(replace(trusting, client_certificate=shown(other))).tls(), server)
    assert showing.getpeercert()
    with pytest.raises(ssl.SSLError):
        shake_hands(Way.to(trusting).tls(), server)


def test_a_client_certificate_goes_with_the_systems_authorities(certificate):
    """Without a ca_file the system's are trusted, in a context of its own: nobody else shows the certificate."""
    way = Way.to(replace(PROVIDER, client_certificate=shown(certificate)))
    assert way.tls() is not Way.to(PROVIDER).tls()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(way.tls(), certificate.server_context())


def test_an_unreadable_ca_file(tmp_path):
    """A missing file, a folder and a file without certificates are told by name."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for ca_file in (tmp_path / "missing.pem", tmp_path, empty):
        with pytest.raises(OSError, match="ca_file") as caught:
            Way.to(replace(PROVIDER, ca_file=str(ca_file))).tls()
        assert str(ca_file) in str(caught.value)


def test_an_unreadable_client_certificate(tmp_path, certificate, other):
    """Missing files, files that are none, another's key and a locked one are told by the certificate's name."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    cases = [
        (tmp_path / "missing.pem", certificate.key),
        (empty, certificate.key),
        (certificate.cert, tmp_path / "missing.pem"),
        (certificate.cert, empty),
        (certificate.cert, other.key),
        (certificate.cert, locked(tmp_path, certificate)),
    ]
    for cert, key in cases:
        with pytest.raises(OSError, match="client certificate") as caught:
            Way.to(replace(PROVIDER, client_certificate=ClientCertificate(str(cert), str(key)))).tls()
        assert str(cert) in str(caught.value)
