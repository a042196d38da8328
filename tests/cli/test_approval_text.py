"""Approvals in words."""

import pytest

from gateway.cli.approval_text import (
    exception_line,
    inbox,
    left,
    missing,
    on_whose_word,
    request_lines,
    review_page,
    title,
)
from gateway.cli.terminal import show

NOW = 1_700_000_000.0
REQUEST = {
    "id": "q1",
    "kind": "release",
    "environment": "production",
    "name": "desk",
    "version": "1.1.0",
    "digest": "a" * 64,
    "requester": "ada",
    "requested_at": NOW - 60.0,
    "deadline": NOW + 90_000.0,
    "reason": "better",
    "rollback_plan": "serve 1.0.0",
    "state": "open",
    "ended_at": None,
    "ended_by": None,
    "ended_reason": "",
    "missing": {"risk": 1},
    "sign_offs": [{"person": "eve", "role": "engineering", "at": NOW, "comment": "read it"}],
    "waits_for_you": True,
    "why_not_you": None,
}
EXCEPTION = {
    "environment": "production",
    "name": "desk",
    "version": "1.1.0",
    "owner": "ada",
    "reason": "a trial",
    "until": NOW + 60.0,
    "is_emergency": False,
    "review_by": None,
    "reviewed_at": None,
    "is_overdue": False,
}
EMERGENCY = {**EXCEPTION, "is_emergency": True, "review_by": NOW + 3600.0}
REVIEW = {
    "route": "desk",
    "release": "1.1.0",
    "environment": "production",
    "digest": "a" * 64,
    "parts": {"release": "b" * 64, "card": None},
    "stable": "1.0.0",
    "out": "unapproved",
    "policy": {"name": "prod", "requires": {"risk": 1}},
    "gates": [
        {"gate": "rollback plan", "holds": True, "why_not": None},
        {"gate": "safety", "holds": False, "why_not": "it is 0.1"},
    ],
    "request": REQUEST,
    "is_current": True,
}


@pytest.fixture
def printed(capsys):
    """What is printed of some parts."""

    def of(*parts):
        show(*parts)
        return capsys.readouterr().out

    return of


def test_a_request_tells_what_is_signed_and_what_is_missing(printed):
    """While it is open it has a deadline; afterwards who ended it, and why."""
    text = printed(*request_lines(REQUEST, NOW))
    for told in (
        "desk/1.1.0 in production: open",
        "engineering by eve",
        "read it",
        "1 of risk",
        "in 1d",
        "serve 1.0.0",
    ):
        assert told in text
    over = {**REQUEST, "state": "rejected", "ended_by": "eve", "ended_reason": "it lies"}
    text = printed(*request_lines(over, NOW))
    assert "rejected by eve: it lies" in text
    assert "deadline" not in text


def test_a_review_tells_everything_and_the_command_that_signs(printed):
    """Or why it is not this operator's to sign."""
    text = printed(*review_page(REVIEW, NOW))
    for told in (
        "prod: 1 of risk",
        "no: it is 0.1",
        "unapproved",
        "bbbbbbbbbbbb",
        f"approve desk/1.1.0 --digest {'a' * 12}",
    ):
        assert told in text
    assert "card" not in text
    assert "a sign-off dismisses it" in printed(*review_page({**REVIEW, "is_current": False}, NOW))
    barred = {**REVIEW, "request": {**REQUEST, "why_not_you": "ada asked for it"}}
    assert "not by you: ada asked for it" in printed(*review_page(barred, NOW))
    nothing = {**REVIEW, "request": None, "policy": None, "gates": [], "out": None}
    text = printed(*review_page(nothing, NOW))
    assert "no approval policy governs it" in text
    assert "nothing is requested; pinion release request desk/1.1.0" in text


def test_the_inbox_lists_what_waits_and_what_is_excepted(printed):
    """Of others' requests it says that they are there."""
    mine = {"requests": [REQUEST], "exceptions": [], "past": []}
    assert "may sign" in printed(*inbox(mine, NOW, everybodys=False))
    theirs = {**mine, "requests": [{**REQUEST, "waits_for_you": False, "why_not_you": "eve signs for nothing"}]}
    assert "nothing waits for your sign-off; 1 open for others, see --all" in printed(
        *inbox(theirs, NOW, everybodys=False)
    )
    assert "eve signs for nothing" in printed(*inbox(theirs, NOW, everybodys=True))
    assert "nothing waits for a sign-off" in printed(*inbox({**mine, "requests": []}, NOW, everybodys=True))
    overdue = {**EMERGENCY, "is_overdue": True}
    reviewed = {**EMERGENCY, "reviewed_at": NOW}
    over = {
        **REQUEST,
        "state": "expired",
        "ended_by": "gateway",
        "ended_at": NOW,
        "ended_reason": "its deadline has passed",
    }
    full = {"requests": [], "exceptions": [EXCEPTION, EMERGENCY, overdue, reviewed], "past": [over]}
    text = printed(*inbox(full, NOW, everybodys=False))
    for told in ("due in 1h", "overdue since", "reviewed", "in 1m", "its deadline has passed"):
        assert told in text


def test_an_exception_names_its_owner_and_its_end(printed):
    """An emergency also when its review is due."""
    assert "exception until 2023-11-14 22:14:20 UTC, on ada's word: a trial" in printed(exception_line(EXCEPTION, NOW))
    assert "review is due in 1h" in printed(exception_line(EMERGENCY, NOW))


def test_an_emergency_is_told_with_its_review():
    """One that is overdue in red."""
    assert on_whose_word({**EMERGENCY, "reviewed_at": NOW}, NOW).plain.endswith("; reviewed")
    overdue = on_whose_word({**EMERGENCY, "review_by": NOW - 1.0, "is_overdue": True}, NOW)
    assert overdue.plain.endswith("a trial; review is overdue since 2023-11-14 22:13:19 UTC")
    assert ["bold red", "bold red"] == [span.style for span in overdue.spans if span.style]


def test_short_words():
    """What a request is about, what it lacks, how long is left."""
    assert "policy prod" == title({**REQUEST, "kind": "approval_policy", "name": "prod"})
    assert "1 of risk" == missing(REQUEST)
    assert ("1d", "2h", "0s") == (left(NOW + 100_000, NOW), left(NOW + 7300, NOW), left(NOW - 5, NOW))
