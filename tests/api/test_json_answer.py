"""Answers as JSON."""

from gateway.api.json_answer import json_answer


def test_text_stays_readable_and_the_status_is_told():
    """What is not ASCII is not escaped."""
    answer = json_answer({"reason": "größer"}, 422)
    assert (422, "application/json") == (answer.status_code, answer.media_type)
    assert '{"reason": "größer"}' == answer.body.decode()
