"""The simulator's own paths."""

import pytest

FAULTS = "/_simulator/faults"


def test_faults_are_put_patched_and_read(http, chat):
    """PUT replaces the faults, PATCH merges, GET tells them, and they hold from the next request on."""
    assert {"length": 3, "rate": 0} == http.put(FAULTS, json={"length": 3, "rate": 0}).json()
    changed = http.patch(FAULTS, json={"rate": None, "models": {"m": {"length": 5}}}).json()
    assert {"length": 3, "models": {"m": {"length": 5}}} == changed == http.get(FAULTS).json()
    answers = [http.post("/v1/chat/completions", json={**chat, "model": name}).json() for name in ("m", "n")]
    assert [5, 3] == [answer["usage"]["completion_tokens"] for answer in answers]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"lenght": 3}', "unknown key 'lenght'"),
        (b'{"length": "3"}', "'length' must be a whole number of at least 0, not '3'"),
        (b"{", "unexpected end of data"),
    ],
)
def test_faults_that_cannot_be_used_change_nothing(http, method, content, message):
    """A wrong document is a 400 that says what is wrong, and the faults stay."""
    http.put(FAULTS, json={"length": 3})
    answer = http.request(method, FAULTS, content=content)
    assert 400 == answer.status_code
    assert message in answer.json()["error"]
    assert {"length": 3} == http.get(FAULTS).json()


def test_requests_are_listed_and_cleared(http, chat):
    """The last requests are listed as they came, without those to the simulator's own paths."""
    for name in ("one", "two"):
        http.post("/v1/chat/completions?q=1", json={**chat, "model": name}, headers={"X-Own": name})
    listed = http.get("/_simulator/requests?last=1").json()
    assert ["/v1/chat/completions?q=1"] == [one["path"] for one in listed]
    assert ("two", 200, False) == (listed[0]["model"], listed[0]["status"], listed[0]["aborted"])
    assert ["x-own", "two"] in listed[0]["headers"]
    assert 2 == len(http.get("/_simulator/requests").json())
    assert {"cleared": True} == http.delete("/_simulator/requests").json()
    assert [] == http.get("/_simulator/requests").json()


def test_a_count_that_is_none_is_refused(http):
    """`last` must be a number."""
    answer = http.get("/_simulator/requests?last=all")
    assert (400, "last must be a whole number, not 'all'") == (answer.status_code, answer.json()["error"])


def test_stats_are_told(sim, http, chat):
    """The counters are those of the requests that came."""
    http.post("/v1/chat/completions", json=chat)
    assert sim.stats() == http.get("/_simulator/stats").json()
    assert {"/v1/chat/completions": 1} == sim.stats()["by_path"]


def test_another_path_is_unknown(http):
    """Any other path is a 404 that names those that exist."""
    answer = http.post("/_simulator/stats")
    assert (404, True) == (answer.status_code, "GET stats" in answer.json()["error"])
