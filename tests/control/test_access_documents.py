"""The keys of operators and identity providers."""

import typing

import pytest
from pydantic import ValidationError

from gateway.control.access_documents import Granted, IdentityProviderDocument, OperatorDocument
from gateway.control.policy_text import read_documents
from gateway.core.access import GRANTED

PROVIDER = "kind: identity_provider, name: i, issuer: https://id.test, audience: pinion"


def keys_of(kind, text):
    """Read keys from YAML."""
    return kind.model_validate(read_documents("a.yaml", text).documents[0].value)


def test_an_operator_is_a_person_who_may_nothing_unless_it_is_said():
    """Only the name must be written."""
    keys = keys_of(OperatorDocument, "{kind: operator, name: ada}")
    assert (True, [], [], [], None) == (keys.person, keys.roles, keys.signs_for, keys.tokens, keys.subject)


def test_roles_are_those_that_the_core_grants():
    """Neither more nor fewer; implied ones cannot be written."""
    assert GRANTED == typing.get_args(Granted)


def test_a_providers_signatures_are_by_private_keys():
    """Three of them when left out, and the subject is the claim sub."""
    keys = keys_of(IdentityProviderDocument, f"{{{PROVIDER}, jwks_file: keys.json}}")
    assert (["RS256", "ES256", "EdDSA"], "sub", None) == (keys.algorithms, keys.subject_claim, keys.ca_file)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none", "NONE", "ES256K", "rs256"])
def test_other_signatures_are_refused(algorithm):
    """What anybody could make who knows a public key, or nothing at all."""
    with pytest.raises(ValidationError):
        keys_of(IdentityProviderDocument, f"{{{PROVIDER}, jwks_file: k, algorithms: [{algorithm}]}}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("audience: b", "write exactly one"),
        ("jwks_file: k, jwks_url: https://id.test/keys", "write exactly one"),
        ("jwks_url: http://id.test/keys", "not https"),
        ("jwks_file: k, ca_file: c", "ca_file is of no use"),
    ],
)
def test_the_keys_of_a_provider_come_from_one_place_that_can_be_trusted(more, message):
    """A file, or an https address."""
    text = f"{{{PROVIDER.replace('audience: pinion', 'x: 1') if 'audience' in more else PROVIDER}, {more}}}"
    with pytest.raises(ValidationError, match=message if "audience" not in more else "x"):
        keys_of(IdentityProviderDocument, text)
