"""The signed tokens of identity providers."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.adapters.jwt_verifier import LEEWAY_SECONDS, JwtVerifier
from tests.adapters.clock_and_journal import Clock, Journal
from tests.adapters.identity_keys import EC, ISSUER, RSA, SET, claims, jwk, provider, serving_keys, token

pytestmark = pytest.mark.anyio

OTHERS = ec.generate_private_key(ec.SECP256R1())
ADA = (ISSUER, "ada")


class Desk:
    """A verifier with one provider whose keys are in a file."""

    def __init__(self, path, keys=SET, **changes) -> None:
        path.write_text(json.dumps(keys))
        self.journal = Journal()
        self.verifier = JwtVerifier(self.journal, Clock(1000.0))
        self.provider = provider(f"file:{path}", **changes)

    async def subject(self, given):
        """Whom a token proves."""
        return await self.verifier.subject(given, [self.provider])

    @property
    def reasons(self):
        """Why tokens were refused."""
        return [fields["message"] for name, _, fields in self.journal.events if name == "token_refused"]


@pytest.fixture
def desk(tmp_path):
    """A desk with the keys of the set."""
    return Desk(tmp_path / "keys.json")


def unsigned(header, payload, signature=b""):
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_proves_its_subject(desk, algorithm):
    """By each of the algorithms that are taken when nothing else is said."""
    assert ADA == await desk.subject(token(algorithm))
    assert [] == desk.journal.events


@pytest.mark.parametrize("algorithm", ["PS256", "ES384"])
async def test_other_algorithms_are_taken_where_they_are_declared(desk, tmp_path, algorithm):
    """And not where they are not."""
    assert None is await desk.subject(token(algorithm))
    assert ADA == await Desk(tmp_path / "more.json", algorithms=(algorithm,)).subject(token(algorithm))


async def test_an_audience_may_be_one_of_several(desk):
    """Ours among them."""
    assert ADA == await desk.subject(token(aud=["other", "pinion"]))


async def test_a_little_difference_of_clocks_is_forgiven(desk):
    """Half a minute either way."""
    now = int(time.time())
    assert ADA == await desk.subject(token(exp=now - LEEWAY_SECONDS + 10))
    assert ADA == await desk.subject(token(nbf=now + LEEWAY_SECONDS - 10))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "other"}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"exp": 1}, "ExpiredSignatureError"),
        ({"exp": "soon"}, "DecodeError"),
        ({"nbf": 4_000_000_000}, "ImmatureSignatureError"),
        ({"iat": 4_000_000_000}, "ImmatureSignatureError"),
        ({"sub": None}, "its claim sub is missing, or no text of at most 500 characters"),
        ({"sub": ""}, "its claim sub is missing, or no text of at most 500 characters"),
        ({"sub": "a" * 501}, "its claim sub is missing, or no text of at most 500 characters"),
        ({"kid": "none"}, "0 keys of the set fit its kid and its algorithm, not one"),
        ({"kid": "rsa"}, "0 keys of the set fit its kid and its algorithm, not one"),
        ({"key": OTHERS}, "InvalidSignatureError"),
    ],
)
async def test_a_token_that_does_not_hold_proves_nothing(desk, changes, reason):
    """The journal says why, and quotes nothing of it."""
    given = token(**changes)
    assert None is await desk.subject(given)
    assert [reason] == desk.reasons
    assert given not in str(desk.journal.events)
    assert "warning" == desk.journal.events[-1][1]


async def test_a_token_without_a_key_id_needs_a_set_without_a_choice(desk, tmp_path):
    """One key of the algorithm's, or none is taken."""
    assert ADA == await desk.subject(token(kid=None))
    twice = {"keys": [*SET["keys"], jwk(OTHERS, "EC", kid="other")]}
    other = Desk(tmp_path / "twice.json", twice)
    assert None is await other.subject(token(kid=None))
    assert ["2 keys of the set fit its kid and its algorithm, not one"] == other.reasons


async def test_a_public_key_is_no_shared_secret(desk):
    """A token signed with the provider's public key as the secret of an HMAC."""
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = unsigned({"alg": "HS256", "kid": "rsa"}, claims()).rsplit(".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.digest(public, head.encode(), hashlib.sha256)).rstrip(b"=").decode()
    assert None is await desk.subject(f"{head}.{signature}")
    assert ["its algorithm is not one that the identity provider is declared with"] == desk.reasons


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256K", "", 5])
async def test_an_unsigned_token_proves_nothing(desk, algorithm):
    """Nor one with an algorithm that no declaration can name."""
    assert None is await desk.subject(unsigned({"alg": algorithm, "kid": "ec"}, claims(), b"x"))


async def test_an_algorithm_is_not_taken_that_no_file_could_name(tmp_path):
    """Even where a declaration got it in."""
    desk = Desk(tmp_path / "keys.json", algorithms=("HS256",))
    assert None is await desk.subject(unsigned({"alg": "HS256"}, claims(), b"x"))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "pio_00000000_0",
        "\xe9.b.c",
        "a" * 20_000,
        token(headers={"crit": ["exp"]}),
        unsigned({"alg": "ES256"}, []),
        unsigned({"alg": "ES256"}, {"iss": 5}),
        unsigned({"alg": "ES256", "kid": 5}, {"iss": ISSUER}),
        base64.urlsafe_b64encode(b"[" * 9_000).decode().rstrip("=") + ".e30.eA",
        "eyJhbGciOiJFUzI1NiJ9." + base64.urlsafe_b64encode(b'{"a":' * 2_000).decode().rstrip("=") + ".eA",
    ],
)
async def test_what_is_no_token_is_nobodys(desk, given):
    """It is not looked at any further, and not told of either."""
    assert None is await desk.subject(given)
    assert [] == desk.journal.events


async def test_a_token_of_another_issuer_is_nobodys(desk):
    """Whoever signed it."""
    assert None is await desk.subject(token(iss="https://evil.test"))
    assert [] == desk.journal.events


async def test_a_short_key_is_not_taken(tmp_path):
    """A key of 1024 bits can be found."""
    short = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - the point of the test
    desk = Desk(tmp_path / "keys.json", {"keys": [jwk(short, "RSA", kid="rsa")]})
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        given = token("RS256", key=short)
    assert None is await desk.subject(given)
    assert ["InvalidKeyError"] == desk.reasons


async def test_a_key_of_another_use_or_algorithm_is_not_taken(tmp_path):
    """A set says what each is for; and one that is spoilt is none."""
    for more in ({"use": "enc"}, {"alg": "ES384"}, {"x": "!"}):
        desk = Desk(tmp_path / "keys.json", {"keys": [jwk(EC, "EC", kid="ec", **more)]})
        assert None is await desk.subject(token())


async def test_an_address_must_be_verified_to_be_somebody(tmp_path):
    """Whoever may write any address into their account is not everybody."""
    desk = Desk(tmp_path / "keys.json", subject_claim="email")
    assert (ISSUER, "ada@x.test") == await desk.subject(token(email="ada@x.test", email_verified=True))
    for verified in (False, None, "true"):
        assert None is await desk.subject(token(email="ada@x.test", email_verified=verified))
    assert {"its e-mail address is not verified"} == set(desk.reasons)


async def test_each_provider_vouches_for_its_own(desk, tmp_path):
    """Its issuer, its keys, its audience."""
    other = provider(f"file:{tmp_path / 'none.json'}", issuer="https://other.test")
    verifier = desk.verifier
    assert ADA == await verifier.subject(token(), [other, desk.provider])
    assert None is await verifier.subject(token(iss="https://other.test"), [other, desk.provider])


async def test_keys_may_come_from_a_server(certificate):
    """Over https, from an authority that is named."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        verifier = JwtVerifier(Journal(), Clock(1000.0))
        assert [ADA, ADA, None] == [
            await verifier.subject(given, [one]) for given in (token(), token("RS256"), token(key=OTHERS))
        ]
        assert 1 == server.asked
        assert "<JwtVerifier over <JwksSource of 1 providers>>" == repr(verifier)
