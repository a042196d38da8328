"""What is remembered of requests, and for how long."""

import pytest

from gateway.simulator.connection import Request
from gateway.simulator.journal import Journal


def request(body=b"{}", path="/v1/models"):
    """A request as the server reads it."""
    return Request("POST", path, (("x-one", "1"),), body, connection=3)


def test_a_request_is_remembered_from_start_to_end():
    """A record grows from what came to how its answer went."""
    journal = Journal()
    number = journal.begin(request(b'{"a": 1}', "/v1/x?y=1"))
    (begun,) = journal.requests()
    assert ("/v1/x", "1", None, {"a": 1}) == (begun.path, begun.header("X-One"), begun.header("no"), begun.json())
    assert (None, None) == (begun.finished, begun.status)
    journal.understood(number, "m", stream=True)
    assert (1, 1) == (journal.stats()["open"], journal.stats()["open_streams"])
    journal.end(number, 200)
    (ended,) = journal.requests()
    assert ("m", True, 200, False) == (ended.model, ended.stream, ended.status, ended.aborted)
    assert ended.finished >= ended.started
    assert ended.seconds >= 0


def test_counters_are_by_path_status_and_model():
    """Counters tell paths, statuses and models apart; a request without one counts under a dash."""
    journal = Journal()
    for status, model in ((200, "m"), (500, "m"), (None, None)):
        number = journal.begin(request())
        journal.understood(number, model, stream=False)
        journal.end(number, status, aborted=status is None)
    assert {
        "requests": 3,
        "open": 0,
        "open_streams": 0,
        "aborted": 1,
        "by_path": {"/v1/models": 3},
        "by_status": {"200": 1, "500": 1, "-": 1},
        "by_model": {"m": 2, "-": 1},
    } == journal.stats()


def test_an_answer_ends_once():
    """A second end of the same answer changes nothing."""
    journal = Journal()
    number = journal.begin(request())
    journal.end(number, 200)
    journal.end(number, None, aborted=True)
    assert (200, False) == (journal.requests()[0].status, journal.requests()[0].aborted)


def test_the_oldest_are_dropped():
    """Beyond the most requests, or the most bytes of bodies, the oldest are dropped; the newest stays."""
    journal = Journal(most_requests=3, most_bytes=10)
    numbers = [journal.begin(request()) for _ in range(5)]
    assert numbers[2:] == [one.number for one in journal.requests()]
    journal.begin(request(b"x" * 11))
    assert [11] == [len(one.body) for one in journal.requests()]
    journal.end(numbers[0], 200)
    assert {"200": 1} == journal.stats()["by_status"]


def test_the_last_requests_are_given_in_order():
    """The last N are given oldest first; none for 0."""
    journal = Journal()
    numbers = [journal.begin(request()) for _ in range(3)]
    assert numbers[1:] == [one.number for one in journal.requests(2)]
    assert [] == journal.requests(0)
    assert 3 == len(journal.requests(9))


def test_clearing_forgets_what_is_over():
    """After clearing, the list and the counters are empty, and what is open is still open."""
    journal = Journal()
    journal.begin(request())
    journal.clear()
    assert [] == journal.requests()
    assert (0, 1, {}) == (journal.stats()["requests"], journal.stats()["open"], journal.stats()["by_path"])


def test_waiting_gives_up():
    """A condition that is not met in time raises."""
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        Journal().wait(lambda requests: len(requests) > 0, 0.01)


@pytest.mark.parametrize(("body", "key", "expected"), [(b"text", "body", "text"), (b"\xff\x00", "body_base64", "/wA=")])
def test_a_body_that_is_no_text_is_base64(body, key, expected):
    """As JSON, a body is a text where it can be, and base64 otherwise."""
    journal = Journal()
    journal.begin(request(body))
    document = journal.requests()[0].as_json()
    assert expected == document[key]
    assert [["x-one", "1"]] == document["headers"]
