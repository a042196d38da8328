"""The audit trail in words."""

from gateway.cli.audit_text import page_of, told_verdict
from gateway.cli.terminal import show

ENTRY = {
    "seq": 7,
    "ts": "2026-11-25T08:30:00.125Z",
    "actor": "ada",
    "actor_id": "3f9a" * 16,
    "action": "rollout.promote",
    "target": {"kind": "route", "id": "support", "version": "1.1.0"},
    "outcome": "allowed",
    "reason": "it looks well",
}


def printed(capsys, parts):
    """What is shown, line by line."""
    show(*parts)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_entries_are_a_table(capsys):
    """A person who is forgotten is a pseudonym; how many there are stands below."""
    gone = {**ENTRY, "seq": 6, "actor": None, "reason": None, "outcome": "denied", "target": {}}
    forget = {**ENTRY, "seq": 5, "target": {"kind": "actor", "id": "3f9a" * 16, "version": None}}
    lines = printed(capsys, page_of({"size": 7, "entries": [ENTRY, gone, forget], "next": None}))
    assert "seq time (UTC) actor action target reason" == lines[0]
    assert "7 2026-11-25 08:30:00 ada rollout.promote support 1.1.0 it looks well" == lines[2]
    assert "6 2026-11-25 08:30:00 forgotten 3f9a3f9a rollout.promote denied - -" == lines[3]
    assert "actor 3f9a3f9a" in lines[4]
    assert "3 of 7 entries" == lines[-1]


def test_a_page_says_where_it_goes_on(capsys):
    """And an empty one why it is."""
    assert "there may be more: --after 7" == printed(capsys, page_of({"size": 9, "entries": [ENTRY], "next": 7}))[-1]
    assert ["no entry fits"] == printed(capsys, page_of({"size": 9, "entries": [], "next": None}))
    assert ["nothing is recorded yet"] == printed(capsys, page_of({"size": 0, "entries": [], "next": None}))


def test_a_verdict_is_one_clear_line(capsys):
    """With what it rests on below, and of each finding what to do."""
    told = {
        "result": "whole",
        "entries": 9,
        "root": "ab" * 32,
        "checkpoints": 2,
        "count": 0,
        "findings": [],
        "key": None,
    }
    lines = printed(capsys, told_verdict(told))
    assert ("the audit trail is whole", "checkpoints 2 agree with the entries") == (lines[0], lines[-1])
    lines = printed(capsys, told_verdict({**told, "key": "log.test+00+AA"}))
    assert "checkpoints 2 agree with the entries, signed by log.test" == lines[-1]
    assert "checkpoints none" == printed(capsys, told_verdict({**told, "checkpoints": 0}))[-1]
    finding = {"kind": "missing", "seq": 4, "message": "entry 4 is missing", "remedy": "restore it"}
    lines = printed(capsys, told_verdict({**told, "result": "wrong", "count": 1, "findings": [finding]}))
    assert "the audit trail is not whole: 1 finding" == lines[0]
    assert ["missing at entry 4: entry 4 is missing", "restore it"] == lines[-2:]
