"""Approvals: who may sign what, once, and what comes of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.approval import (
    MOVES,
    REVIEWS,
    RequestState,
    approved,
    ended,
    opened,
    said_changed,
    said_missing,
    signed,
    who_can,
)
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.errors import NotPermitted, VerbRefused
from gateway.core.operator import BREAK_GLASS, LOCAL, TOKEN_HOLDER
from tests.core.approval_samples import ADA, BOTH, ENG, POLICY, RISK, SUBJECT, asked, person


def sign(request, who, role=None, digest=None, now=20.0):
    """A request with somebody's sign-off."""
    return signed(request, who, role=role, digest=digest, now=now, comment="read it")


def test_every_sign_off_together_is_an_approval():
    """One for each function; it is good for exactly what was requested, until it is too old."""
    request = sign(sign(asked(), ENG), RISK)
    assert {} == request.missing
    after, approval = approved(request, 30.0)
    assert (RequestState.approved, "risk", 30.0) == (after.state, after.ended_by, after.ended_at)
    assert approval.is_good_for(SUBJECT, 1029.0)
    assert not approval.is_good_for(SUBJECT, 1030.0)
    for change in ({"version": "1.2.0"}, {"digest": "b" * 64}, {"environment": "test"}, {"name": "sales"}):
        assert not approval.is_good_for(replace(SUBJECT, **change), 30.0)
    assert replace(approval, until=None).is_good_for(SUBJECT, 1e12)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (person("ada", "engineering"), "ada asked for it; somebody else must sign"),
        (person("ada-2", "engineering", by="sha256:ada"), "ada-2 asked for it; somebody else must sign"),
        (person("grace", "engineering"), "grace is an author of it; somebody else must sign"),
        (person("bot", "engineering", is_person=False), "bot is no person, and this is a person's word"),
        (person("eng", "engineering", identified="issued"), "eng is not identified as a person"),
        (person("adm", roles=["admin"]), "adm signs for nothing, and it takes engineering, risk"),
        (person("sec", "security"), "sec signs for security, and it takes engineering, risk"),
        (LOCAL, "local is not identified as a person"),
        (TOKEN_HOLDER, "operator is no person"),
        (BREAK_GLASS, "operator is no person"),
    ],
)
def test_who_made_it_asked_for_it_or_is_no_person_does_not_sign(who, why):
    """A renamed operator with the same token is the same person."""
    with pytest.raises(NotPermitted, match=f"^{why}"):
        sign(asked(), who)
    with pytest.raises(NotPermitted, match=f"^{why}"):
        sign(asked(), who, role="engineering")


def test_one_person_counts_once_whatever_they_sign_for():
    """Neither for another function, nor under another name with the same token."""
    request = sign(asked(), BOTH, role="engineering")
    for again in (BOTH, person("both-2", "risk", by="sha256:both")):
        with pytest.raises(NotPermitted, match="has signed it already; one person counts once"):
            sign(request, again, role="risk")
    assert {"risk": 1} == request.missing


def test_who_comes_by_an_identity_provider_is_told_apart_by_name():
    """The issuer is the same for all of them."""
    one, other = (person(name, "engineering", by="https://id.test", identified="oidc") for name in ("eve", "bob"))
    policy = ApprovalPolicy("p", {"engineering": 2})
    assert {} == sign(sign(asked(policy=policy), one), other).missing


def test_who_signs_for_several_functions_says_which():
    """Where one of them is missing alone, it is that one."""
    with pytest.raises(VerbRefused, match="both signs for engineering, risk; name one with --role"):
        sign(asked(), BOTH)
    assert "risk" == sign(sign(asked(), ENG), BOTH).sign_offs[-1].role
    with pytest.raises(NotPermitted, match="eng does not sign for risk, but for engineering"):
        sign(asked(), ENG, role="risk")
    with pytest.raises(VerbRefused, match="takes no sign-off of legal, but of engineering, risk"):
        sign(asked(), person("lex", "legal", "risk"), role="legal")
    with pytest.raises(VerbRefused, match="every sign-off that eng-2 could give is there"):
        sign(sign(asked(), ENG), person("eng-2", "engineering"))


def test_a_sign_off_is_on_what_was_reviewed():
    """Another digest than the request's is refused, and so is one too short to tell."""
    assert sign(asked(), ENG, digest="a" * 12).sign_offs[0].digest == "a" * 64
    for digest in ("b" * 64, "aaa", "a" * 63 + "b"):
        with pytest.raises(VerbRefused, match="review it again"):
            sign(asked(), ENG, digest=digest)


def test_a_request_past_its_deadline_takes_no_sign_off():
    """The deadline is its policy's, from when it was made."""
    assert sign(asked(now=10.0), ENG, now=109.9)
    with pytest.raises(VerbRefused, match="past its deadline"):
        sign(asked(now=10.0), ENG, now=110.0)


def test_no_approval_without_every_sign_off():
    """What is missing is named."""
    with pytest.raises(VerbRefused, match="lacks 1 of engineering, 1 of risk"):
        approved(asked(), 20.0)
    assert "1 of a, 2 of b" == said_missing({"b": 2, "a": 1})


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("verb", ["approve", "reject", "withdraw", "expire", "dismiss"])
def test_the_one_table_of_what_becomes_of_a_request(state, verb):
    """Each verb ends an open request, and none moves an ended one."""
    request = replace(asked(), state=state)
    if state is RequestState.open:
        after = ended(request, verb, "eve", "because", 50.0)
        assert (MOVES[state, verb], "eve", "because", 50.0) == (
            after.state,
            after.ended_by,
            after.ended_reason,
            after.ended_at,
        )
        assert verb in REVIEWS
        assert request.revision + 1 == after.revision
    else:
        with pytest.raises(VerbRefused, match=f"is {state.value} and does not take {verb}; request it anew"):
            ended(request, verb, "eve", "", 50.0)
        with pytest.raises(VerbRefused, match=f"is {state.value} and does not take sign"):
            sign(request, ENG)


@pytest.mark.parametrize("who", [LOCAL, TOKEN_HOLDER, person("bot", is_person=False), person("x", identified="issued")])
def test_only_an_identified_person_asks(who):
    """Whoever asks stands for the author of what files declare, so it must be known who that is."""
    with pytest.raises(NotPermitted):
        opened(SUBJECT, POLICY, who, new_id="q", now=1.0)


def test_what_has_changed_is_named():
    """As people know it."""
    before = {"release": "a", "model_facts": "b", "card": None}
    assert "model facts, card" == said_changed(before, {**before, "model_facts": "c", "card": "d"})
    assert "nothing" == said_changed(before, before)


def test_requests_and_subjects_name_themselves():
    """By what people call them."""
    assert "request q1 for desk/1.1.0" == str(asked())
    change = replace(SUBJECT, kind="approval_policy", name="production", version="c" * 64)
    assert ("desk/1.1.0", f"approval policy production ({'c' * 12})") == (str(SUBJECT), str(change))
    assert "request q1 for approval policy production" == str(asked(change))


def test_who_could_give_what_a_policy_asks():
    """Persons alone count, each for the functions that they sign for."""
    assert {"engineering": 2, "risk": 1} == dict(who_can(POLICY, [ENG, RISK, person("e", "engineering"), ADA]))


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([None, "engineering", "risk"])), max_size=12))
def test_an_approval_always_has_as_many_persons_as_functions_ask_for(attempts):
    """Whoever tries whatever: no person twice, never who asked or made it, and no function short."""
    policy = ApprovalPolicy("p", {"engineering": 2, "risk": 1})
    request = asked(replace(SUBJECT, authors=frozenset("a")), policy, person("b", roles=["author"]))
    for name, role in attempts:
        try:
            request = sign(request, person(name, "engineering", "risk"), role=role)
        except (NotPermitted, VerbRefused):
            continue
    persons = [each.person for each in request.sign_offs]
    assert len(persons) == len(set(persons))
    assert not {"a", "b"} & set(persons)
    if not request.missing:
        assert len(persons) >= 3
        assert approved(request, 30.0)[1].digest == request.digest
