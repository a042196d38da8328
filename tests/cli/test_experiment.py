"""`pinion experiment`, against a gateway."""

import json
import time
from datetime import UTC, datetime

import httpx2
import pytest

from gateway.cli.experiment import _counted
from tests.gateway_process import wait_until


@pytest.fixture(scope="module")
def asked(gateway):
    """The route `tried` has been asked by eight units, each of which said whether it helped; gives the answers."""
    answers = []
    with httpx2.Client(base_url=gateway.url, timeout=60) as client:
        for number in range(8):
            body = {"model": "tried", "user": f"u-{number}", "messages": [{"role": "user", "content": "hi"}]}
            answer = client.post("/v1/chat/completions", json=body)
            about = {"request_id": answer.headers["x-request-id"]} if number % 2 else {"unit": f"u-{number}"}
            said = client.post("/v1/feedback", json={**about, "name": "resolved", "value": number > 2})
            assert (200, answer.headers["x-request-id"]) == (said.status_code, said.json()["request_id"])
            assert answer.headers["x-pinion-release"] == said.json()["release"]
            answers.append(answer)
    return answers


def test_a_report_tells_how_it_stands(pinion, asked):
    """In words, or as the gateway answers it; both count every unit and what it said."""
    said = pinion("experiment", "report", "tried")
    assert (0, "") == (said.exit_code, said.stderr)
    assert said.stdout.startswith("tried experiment length: running, since ")
    assert "not enough units to compare treatment" in said.stdout
    told = json.loads(pinion("experiment", "report", "tried", "--json").stdout)
    assert len(asked) == sum(arm["units"] for arm in told["arms"])
    assert len(asked) == sum(arm["units"] for arm in told["metrics"][0]["arms"])
    releases = {answer.headers["x-pinion-release"].rpartition("/")[2] for answer in asked}
    assert releases == {arm["release"] for arm in told["arms"] if arm["units"]}


def test_a_report_can_be_drawn(pinion, tmp_path, asked):
    """Into a file that is named; one that cannot be written is said."""
    assert 0 == pinion("experiment", "report", "tried", "--svg", str(tmp_path / "a.svg")).exit_code
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    refused = pinion("experiment", "report", "tried", "--svg", str(tmp_path / "none" / "a.svg"))
    assert 0 != refused.exit_code
    assert "No such file or directory" in refused.stderr
    assert asked


def test_exposures_are_lines(pinion, tmp_path, asked):
    """On standard output or in a file, all of them or from a time on."""
    result = pinion("experiment", "exposures", "tried")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert (0, "") == (result.exit_code, result.stderr)
    assert [answer.headers["x-request-id"] for answer in asked] == [line["request_id"] for line in lines]
    assert [0.0] * 3 + [1.0] * 5 == [line["feedback"]["resolved"] for line in lines]
    pinion("experiment", "exposures", "tried", "--output", str(tmp_path / "a.jsonl"))
    assert result.stdout == (tmp_path / "a.jsonl").read_text()
    for since, expected in (("1h", len(asked)), ("2100-01-01", 0), (datetime.now(UTC).isoformat(), 0)):
        assert expected == pinion("experiment", "exposures", "tried", "--since", since).stdout.count("\n")


def test_feedback_is_in_the_metrics_of_its_own_application_alone(gateway, asked):
    """A unit that has not been seen, and a request of nobody, are not found."""
    with httpx2.Client(base_url=gateway.url, timeout=60) as client:
        for about in ({"unit": "nobody"}, {"request_id": "req_none"}, {"unit": "u-1", "model": "steady"}):
            assert 404 == client.post("/v1/feedback", json={**about, "name": "resolved", "value": 1}).status_code
    assert asked


@pytest.mark.parametrize("command", ["report", "exposures"])
def test_a_route_without_an_experiment_is_a_no(pinion, command):
    """With what to write."""
    result = pinion("experiment", command, "steady")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "pinion: route steady has no experiment; write `experiment:` in its policy to begin one\n" == result.stderr


def test_a_time_that_is_none_is_misuse(pinion):
    """With what one is written like."""
    result = pinion("experiment", "exposures", "tried", "--since", "yesterday")
    assert 2 == result.exit_code
    assert "'yesterday' is no time; write 24h, 2026-11-20 or 2026-11-20T08:00" in result.stderr


def test_whoever_watches_an_export_sees_how_far_it_is(capsys):
    """On standard error, and nothing of it in the lines."""
    pieces = [b"{}\n{}\n", b"{}\n"]
    assert pieces == list(_counted(iter(pieces), is_watched=True))
    assert ("", True) == ((said := capsys.readouterr()).out, said.err.endswith("exported 3 requests\n"))
    assert pieces == list(_counted(iter(pieces), is_watched=False))
    assert ("", "") == tuple(capsys.readouterr())


def test_records_are_there_at_once(pinion, gateway):
    """A request that has only just ended is in the export."""
    body = {"model": "tried", "user": "late", "messages": [{"role": "user", "content": "hi"}]}
    request_id = httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=60).headers["x-request-id"]
    began = time.monotonic()
    assert wait_until(lambda: request_id in pinion("experiment", "exposures", "tried").stdout)
    assert time.monotonic() - began < 5
