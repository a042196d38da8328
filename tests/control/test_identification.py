"""Who asks at the operations API."""

import pytest

from gateway.control.identification import Identification
from gateway.core.api_key import digest_of, named_key
from gateway.core.errors import NotPermitted, Unidentified
from gateway.core.identity_provider import IdentityProvider
from gateway.core.operator import BREAK_GLASS, LOCAL, TOKEN_HOLDER, Operator, Operators
from gateway.core.snapshot import Snapshot
from tests.control.serving_world import TokenVerifier

pytestmark = pytest.mark.anyio

ADMIN = "operator-token-0123456789"
TOKEN = named_key("operator", "abcdefgh", "0" * 32)
ADA = Operator("ada", frozenset({"viewer"}), by="sha256:01234567")
DECLARED = Operators({"ada": ADA}, {bytes.fromhex(digest_of(TOKEN)): ADA})


def identification(operators=DECLARED, admin_token=None, verifier=None, providers=()):
    """Of a snapshot with these operators and identity providers."""
    by_name = {provider.name: provider for provider in providers}
    snapshot = Snapshot(1, "r", {}, operators=operators, identity_providers=by_name)
    return Identification(lambda: snapshot, verifier or TokenVerifier(), admin_token)


async def test_a_token_is_its_operators():
    """Whatever host it names."""
    known = identification()
    assert ADA is await known.identify(TOKEN, names_loopback=False)
    assert "<Identification of 1 operators>" == repr(known)


@pytest.mark.parametrize("bearer", [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN[:-1] + "0", TOKEN.upper(), ADMIN])
async def test_where_an_operator_is_declared_nobody_else_is_let_in(bearer):
    """Loopback is no longer open, and the answer does not say what was wrong."""
    with pytest.raises(Unidentified, match=r"^this needs the token of an operator, as a Bearer token$"):
        await identification().identify(bearer, names_loopback=True)


async def test_a_good_form_alone_is_nobody():
    """The digest decides."""
    with pytest.raises(Unidentified):
        await identification().identify(named_key("operator", "abcdefgh", "1" * 32), names_loopback=True)


async def test_an_applications_key_is_no_operators_token():
    """Even with a digest that is declared, its form says what it is."""
    key = named_key("app", "abcdefgh", "0" * 32)
    operators = Operators({"ada": ADA}, {bytes.fromhex(digest_of(key)): ADA})
    with pytest.raises(Unidentified):
        await identification(operators).identify(key, names_loopback=True)


@pytest.mark.parametrize(("operators", "expected"), [(DECLARED, BREAK_GLASS), (Operators(), TOKEN_HOLDER)])
async def test_the_admin_token_is_taken_always(operators, expected):
    """It is everything where nobody is declared, and breaks the glass where somebody is."""
    assert expected is await identification(operators, ADMIN).identify(ADMIN, names_loopback=False)


@pytest.mark.parametrize("bearer", [None, "", TOKEN, ADMIN + "x", "\xe9"])
async def test_without_operators_the_admin_token_is_wanted_where_it_is_set(bearer):
    """From loopback too."""
    with pytest.raises(Unidentified, match=r"^this needs the operator token, as a Bearer token$"):
        await identification(Operators(), ADMIN).identify(bearer, names_loopback=True)


async def test_without_operators_and_token_whoever_names_loopback_is_local():
    """A page of another name is not."""
    known = identification(Operators())
    assert LOCAL is await known.identify(None, names_loopback=True)
    assert LOCAL is await known.identify("anything", names_loopback=True)
    with pytest.raises(NotPermitted, match="loopback names alone"):
        await known.identify(None, names_loopback=False)


IDP = IdentityProvider("idp", "https://id.test", "pinion", "file:keys.json", "sub", ("ES256",))
BY_SUBJECT = Operators({"ada": ADA}, {}, {(IDP.issuer, "ada@x.test"): ADA})


@pytest.mark.parametrize(
    ("subject", "providers", "is_known"),
    [
        ((IDP.issuer, "ada@x.test"), [IDP], True),
        ((IDP.issuer, "eve@x.test"), [IDP], False),
        (("https://other.test", "ada@x.test"), [IDP], False),
        ((IDP.issuer, "ada@x.test"), [], False),
    ],
)
async def test_a_person_whom_an_identity_provider_vouches_for_is_the_operator_of_that_subject(
    subject, providers, is_known
):
    """An unknown subject is nobody, whatever its token proves; without a provider nobody is asked."""
    verifier = TokenVerifier()
    verifier.known["a.b.c"] = subject
    known = identification(BY_SUBJECT, verifier=verifier, providers=providers)
    if is_known:
        assert ADA is await known.identify("a.b.c", names_loopback=False)
    else:
        with pytest.raises(Unidentified):
            await known.identify("a.b.c", names_loopback=True)
