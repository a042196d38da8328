"""What a request shows of itself, and the release it is assigned."""

import json

import pytest

from gateway.core.rule import Rule
from gateway.core.unit import conversation_digest, unit_digest
from tests.proxy.playbook import Play, completion, release, route

FULL = 1_000_000


def record_of(play, **request):
    """The record of one answered request."""
    play.ask(**request)
    play.upstream.last.answer()
    return play.record


def test_the_explicit_unit_wins():
    """Over a session, a user and the conversation."""
    record = record_of(Play(), user="user", headers={"x-pinion-unit": "unit", "x-session-id": "session"})
    assert unit_digest("unit") == record.unit_digest


def test_a_conversation_is_its_own_unit():
    """Without a session or user, the opening messages say who must keep a release."""
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    digest = conversation_digest("helpdesk", {"messages": messages})
    later = [*messages, {"role": "assistant", "content": "a"}, {"role": "user", "content": "more"}]
    assert unit_digest(digest) == record_of(Play(), messages=later).unit_digest


def test_a_request_without_a_unit_gets_stable():
    """It is not counted as the canary's."""
    record = record_of(Play(route(canary_ppm=FULL, sticky_by=())))
    assert ("1.0.0", "stable", None, None) == (record.release, record.track, record.unit_digest, record.bucket)


def test_a_unit_keeps_its_bucket():
    """The record says which, and why it met its release."""
    play = Play(route(canary_ppm=500_000))
    records = [record_of(play, user="u-1") for _ in range(3)]
    assert 1 == len({(record.release, record.bucket) for record in records})
    assert str(records[0].bucket) in records[0].why


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        (Rule("r", "1.1.0", apps=frozenset({"helpdesk"})), {}, True),
        (Rule("r", "1.1.0", headers={"x-beta": "1"}), {"headers": {"x-beta": "1"}}, True),
        (Rule("r", "1.1.0", headers={"x-beta": "1"}), {}, False),
        (Rule("r", "1.1.0", units=frozenset({"u-1"})), {"user": "u-1"}, True),
        (Rule("r", "1.1.0", input_over=4), {"messages": [{"role": "user", "content": "12345"}]}, True),
        (Rule("r", "1.1.0", input_over=5), {"messages": [{"role": "user", "content": "12345"}]}, False),
        (Rule("r", "1.1.0", input_under=3), {"messages": [{"content": [{"type": "text", "text": "12"}, 7]}]}, True),
        (Rule("r", "1.1.0", input_under=3), {"messages": "1234"}, False),
    ],
)
def test_rules_see_the_request(rule, request_, matches):
    """Its application, headers, unit, and the characters of its input, nested ones too."""
    record = record_of(Play(route(rules=(rule,))), **request_)
    assert ("rule" if matches else "stable") == record.track


def test_a_follow_up_returns_to_the_release_that_made_the_response():
    """By `previous_response_id`, before rules and buckets; an unknown or strange one says nothing."""
    play = Play(route(canary_ppm=FULL))
    play.follow_ups.remember("helpdesk", "desk", "resp_1", "1.0.0")
    for previous, version in (("resp_1", "1.0.0"), ("resp_2", "1.1.0"), (7, "1.1.0")):
        play.ask(path="/v1/responses", input="x", previous_response_id=previous)
        play.upstream.last.answer(b'{"id":"resp_9","output":[]}')
        assert version == play.record.release


def test_a_response_of_another_application_is_not_continued():
    """By whichever route and release it is asked for: as a provider refuses an id that it does not know, and told."""
    play = Play()
    play.follow_ups.remember("other", "elsewhere", "resp_1", "1.0.0")
    asked = {"path": "/v1/responses", "input": "x", "previous_response_id": "resp_1"}
    for forced in ({}, {"x-pinion-release": "1.0.0"}):
        _, downstream = play.ask(headers=forced, **asked)
        error = json.loads(downstream.body)["error"]
        assert (400, "invalid_request_error", "previous_response_not_found") == (
            downstream.status,
            error["type"],
            error["code"],
        )
        assert error["message"].startswith("Previous response with id 'resp_1' not found")
    why = "continues a response of another application"
    assert ([("POST /v1/responses", "helpdesk", why)] * 2, []) == (play.denials.denied, play.upstream.calls)
    play.ask(previous_response_id="resp_1")
    play.upstream.last.answer(completion())
    assert "ok" == play.record.outcome


def test_the_response_that_an_answer_made_is_remembered():
    """Only Responses are continued by id."""
    play = Play(route(canary_ppm=FULL))
    play.ask(path="/v1/responses", input="x")
    play.upstream.last.answer(b'{"id":"resp_1","output":[]}')
    assert "1.1.0" == play.follow_ups.release_of("helpdesk", "desk", "resp_1")
    play.ask()
    play.upstream.last.answer(completion())
    assert play.follow_ups.release_of("helpdesk", "desk", "chatcmpl-1") is None


def test_a_follow_up_to_a_release_that_is_out_is_assigned_anew():
    """Out means no request at all."""
    play = Play(route(more={"0.9.0": release("0.9.0")}, out={"0.9.0": "rolled back"}))
    play.follow_ups.remember("helpdesk", "desk", "resp_1", "0.9.0")
    play.ask(path="/v1/responses", input="x", previous_response_id="resp_1")
    assert "atlas-1.0.0" == play.upstream.last.json["model"]
