"""Starting, stopping, and the simulator beside a test."""

import socket
import threading

import httpx2
import pytest

from gateway.simulator.behaviour import BehaviourError, Faults
from gateway.simulator.server import running


def threads() -> int:
    """How many simulators run in this process: other tests may have their own."""
    return [thread.name for thread in threading.enumerate()].count("simulator")


def test_it_serves_while_the_block_lasts(chat):
    """Inside the block the simulator answers; after it, nothing listens and no thread is left."""
    before = threads()
    with running() as sim:
        assert f"http://127.0.0.1:{sim.port}" == sim.url
        assert 200 == httpx2.post(f"{sim.url}/v1/chat/completions", json=chat).status_code
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(sim.url)
    assert before == threads()


def test_it_stops_with_an_answer_under_way(chat):
    """An answer that hangs does not keep the simulator from stopping; its client sees the connection end."""
    seen = []

    def ask():
        with pytest.raises(httpx2.TransportError) as caught:
            httpx2.post(f"{sim.url}/v1/chat/completions", json=chat)
        seen.append(caught.value)

    with running(behaviour={"hang": "head"}) as sim:
        client = threading.Thread(target=ask)
        client.start()
        sim.wait(lambda requests: len(requests) == 1)
    client.join(10)
    assert 1 == len(seen)


def test_the_seed_decides_the_answers(chat):
    """Two simulators with one seed give the same answers, with another seed others."""
    texts = []
    for seed in (1, 1, 2):
        with running(seed=seed) as sim:
            answer = httpx2.post(f"{sim.url}/v1/chat/completions", json=chat).json()
            texts.append(answer["choices"][0]["message"]["content"])
    assert texts[0] == texts[1] != texts[2]


def test_a_used_port_is_told():
    """A port in use raises, and so do faults that cannot be used."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), running(port=port):
            pass
    with pytest.raises(BehaviourError, match="unknown key"), running(behaviour={"speed": 1}):
        pass


def test_a_failing_test_stops_the_simulator():
    """An error inside the block goes through, and the simulator stops."""
    before = threads()
    with pytest.raises(ZeroDivisionError), running():
        raise ZeroDivisionError
    assert before == threads()


def test_the_behaviour_changes_while_it_runs(sim, http, chat):
    """`behave` merges, for one model too; a wrong key raises in the caller and changes nothing."""
    sim.behave(length=3)
    sim.behave_model("m", length=5)
    with pytest.raises(BehaviourError, match="unknown key"):
        sim.behave(speed=1)
    answers = [http.post("/v1/chat/completions", json={**chat, "model": name}).json() for name in ("m", "n")]
    assert [5, 3] == [answer["usage"]["completion_tokens"] for answer in answers]


def test_requests_are_seen_and_cleared(sim, http, chat):
    """What was received can be read beside the running simulator, and forgotten."""
    http.post("/v1/chat/completions", json=chat)
    (request,) = sim.settled()
    assert (chat, 200) == (request.json(), request.status)
    assert 1 == len(sim.requests())
    sim.clear()
    assert [] == sim.requests()


def test_an_address_with_colons_is_written_in_brackets():
    """An IPv6 address stands in brackets in the URL."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        with running(host="::1") as sim:
            assert 200 == httpx2.get(f"{sim.url}/v1/models").status_code
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_an_empty_behaviour_is_no_fault():
    """Without a behaviour nothing is set."""
    with running() as sim:
        assert {} == httpx2.get(f"{sim.url}/_simulator/faults").json() == Faults.read(None).document
