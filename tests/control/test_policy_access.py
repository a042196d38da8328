"""Operators and identity providers of a policy set: exact messages for what nobody may be."""

import pytest

from gateway.control.policies import load
from gateway.core.errors import PolicyFault
from tests.control.serving_world import PROVIDER, route

A, B = "aa" * 32, "bb" * 32
IDP = "kind: identity_provider\nname: idp\nissuer: https://id.test\naudience: pinion\njwks_file: /run/keys.json\n"
OTHER = IDP.replace("idp", "other").replace("id.test", "id.other.test")


def loaded(*documents):
    """The policies of these documents, in a file of their own."""
    return load({"all.yaml": f"{PROVIDER}---\n{route()}", "who.yaml": "---\n".join(documents)})


def told(*documents):
    """The problems of these documents."""
    with pytest.raises(PolicyFault) as caught:
        loaded(*documents)
    return [str(problem) for problem in caught.value.problems]


def operator(name="ada", **keys):
    """An operator's document, a key a line from the third on."""
    return "".join([f"kind: operator\nname: {name}\n", *(f"{key}: {value}\n" for key, value in keys.items())])


def test_an_operator_is_known_by_name_token_and_subject():
    """How it was identified goes with it."""
    found = loaded(
        IDP,
        operator(
            roles="[operator]",
            signs_for="[product]",
            subject="ada@x.test",
            tokens=f"[{{sha256: {A}}}]",
            contact="here",
        ),
    ).operators
    by_name, by_token = found.by_name["ada"], found.by_token[bytes.fromhex(A)]
    by_subject = found.by_subject["https://id.test", "ada@x.test"]
    assert {"operator", "approver"} == by_name.roles == by_token.roles == by_subject.roles
    assert ("declared", "sha256:aaaaaaaa") == (by_token.identified, by_token.by)
    assert ("oidc", "https://id.test") == (by_subject.identified, by_subject.by)
    assert (frozenset({"product"}), True, "here") == (by_name.signs_for, by_name.is_person, by_name.contact)


def test_a_service_is_no_person():
    """It has what its roles give, and somebody answers for it."""
    found = loaded(operator("ci", person="false", roles="[author]", owner="platform")).operators.by_name["ci"]
    assert (False, "platform", {"author", "service"}) == (found.is_person, found.owner, found.roles)
    assert (True, False) == (found.may("registry.register"), found.may("release.sign"))


def test_an_identity_provider_is_a_value():
    """With its keys' place as a source."""
    url = IDP.replace("jwks_file: /run/keys.json", "jwks_url: https://id.test/keys\nca_file: ca.pem")
    (filed,), (fetched,) = (loaded(text).identity_providers.values() for text in (IDP, url))
    assert ("file:/run/keys.json", None) == (filed.jwks, filed.ca_file)
    assert ("https://id.test/keys", "ca.pem") == (fetched.jwks, fetched.ca_file)
    assert ("https://id.test", "pinion", "sub", ("RS256", "ES256", "EdDSA")) == (
        filed.issuer,
        filed.audience,
        filed.subject_claim,
        filed.algorithms,
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"person": "false", "signs_for": "[security]"},
            "4: operator ada: signs_for: nobody is both service and approver: a sign-off is a person's word; "
            "take one of the two away",
        ),
        (
            {"roles": "[admin]", "signs_for": "[security]"},
            "4: operator ada: signs_for: nobody is both admin and approver: who gives out access does not sign what it "
            "gives access to; take one of the two away",
        ),
        (
            {"roles": "[auditor, author]"},
            "3: operator ada: roles: nobody is both auditor and author: who audits writes nothing; "
            "take one of the two away",
        ),
    ],
)
def test_roles_that_exclude_each_other_are_refused_where_they_stand(keys, message):
    """By the matrix of the core."""
    assert [f"who.yaml:{message}"] == told(operator(**keys))


@pytest.mark.parametrize("name", ["local", "operator", "policy", "gateway"])
def test_no_operator_has_a_name_that_others_act_under(name):
    """The record must say who it was."""
    said = "a name that acts of other origin are recorded under; give it another name"
    assert [f"who.yaml:2: operator {name}: name is {name}, {said}"] == told(operator(name, roles="[viewer]"))


def test_a_token_is_of_one_operator_and_no_applications_key():
    """Else it would not say who it is."""
    app = f"kind: app\nname: desk\nkeys: [{{sha256: {B}}}]\n"
    first, second = operator(roles="[viewer]", tokens=f"[{{sha256: {A}}}]"), f"[{{sha256: {A}}}, {{sha256: {B}}}]"
    assert [
        "who.yaml:13: operator bob: tokens.1 is one of ada; give every operator tokens of its own",
        "who.yaml:13: operator bob: tokens.2 is one of desk; give every operator tokens of its own",
    ] == told(app, first, operator("bob", roles="[viewer]", tokens=second))


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (
            [operator(roles="[viewer]", subject="ada")],
            "4: operator ada: subject is known to no identity provider; declare an identity_provider",
        ),
        (
            [operator(roles="[viewer]", identity_provider="idp"), IDP],
            "4: operator ada: identity_provider is of no use without a subject; add one, or remove it",
        ),
        (
            [operator("ci", person="false", roles="[viewer]", subject="ci"), IDP],
            "5: operator ci: subject is of a person, and this is a service; give it a token instead",
        ),
        (
            [operator(roles="[viewer]", subject="ada"), IDP, OTHER],
            "4: operator ada: subject may be of any of several identity providers; name one, as identity_provider",
        ),
        (
            [operator(roles="[viewer]", subject="ada", identity_provider="ipd"), IDP],
            "5: operator ada: identity_provider: there is no identity_provider 'ipd'; did you mean 'idp'? correct it",
        ),
        (
            [operator(roles="[viewer]", subject="a"), operator("bob", roles="[viewer]", subject="a"), IDP],
            "9: operator bob: subject is that of operator ada; a person is one operator; keep one of the two",
        ),
        (
            [IDP, OTHER.replace("id.other.test", "id.test")],
            "9: identity_provider other: issuer is that of identity_provider idp; keep one of the two",
        ),
    ],
)
def test_a_subject_is_one_person_of_one_provider(documents, message):
    """What is missing, or said twice, is told where it stands."""
    assert [f"who.yaml:{message}"] == told(*documents)


def test_a_provider_that_cannot_be_read_is_not_missed_again():
    """Its own problem is enough."""
    broken = IDP.replace("jwks_file", "jwks_flie")
    assert not [line for line in told(operator(roles="[viewer]", subject="a"), broken) if "known to no" in line]


def test_one_of_several_providers_is_named():
    """Its issuer and the subject are the person."""
    found = loaded(operator(roles="[viewer]", subject="a", identity_provider="other"), IDP, OTHER).operators
    assert {("https://id.other.test", "a")} == set(found.by_subject)


def test_an_operator_without_a_role_is_warned_of():
    """It may do nothing."""
    said = "operator ada has no role and signs for nothing, so it may do nothing; give it a role"
    assert [f"who.yaml:1: {said}"] == [
        str(warning) for warning in loaded(operator()).warnings if warning.file == "who.yaml"
    ]


def test_a_set_without_operators_declares_none():
    """Loopback is open as ever."""
    policies = load({"all.yaml": f"{PROVIDER}---\n{route()}"})
    assert ({}, {}, {}) == (policies.operators.by_name, policies.operators.by_token, policies.identity_providers)
