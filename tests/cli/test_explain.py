"""`pinion explain`."""

import json

import httpx2
import pytest

from gateway.cli.explain import TELLERS
from gateway.cli.terminal import show
from tests.cli import rollout_answers
from tests.gateway_process import wait_until

CHAT = {"model": "steady", "messages": [{"role": "user", "content": "hello"}]}

RECORD = {
    "request_id": "req_1",
    "at": 1_790_856_000.0,
    "app": "helpdesk",
    "route": "support",
    "release": "1.0.0",
    "track": "fallback",
    "why": "bucket 4 is under the canary's 50000",
    "bucket": 4,
    "unit_digest": "abcd",
    "outcome": "cancelled",
    "status": 200,
    "seconds": 1.5,
    "first_token_seconds": 0.25,
    "overhead_seconds": 0.0004,
    "input_tokens": 120,
    "output_tokens": 40,
    "cached_input_tokens": 20,
    "cost_usd": 0.0001525,
    "cost_status": "known",
    "partial": True,
    "input_digest": "ef01",
    "served_model": "gpt-4o-2024-08-06",
    "fingerprint": "fp_1",
    "response_id": "chatcmpl-1",
    "upstream_request_id": "up-1",
    "endpoint": "chat",
    "stream": True,
    "sdk_retries": 1,
    "attempts": [
        {"release": "1.1.0", "track": "canary", "outcome": "failed", "status": 0},
        {"release": "1.0.0", "track": "fallback", "outcome": "cancelled", "status": 200},
    ],
    "epoch": 7,
    "shadow_of": None,
    "revision": "f9d4cd3ef80059da",
    "prompt_digest": "9a0b",
    "versions": [{"version": "release support/1.0.0", "digest": "0d1e", "review": "candidate", "lifecycle": "active"}],
    "deployment": {
        "environment": "production",
        "since": 1700000000.0,
        "until": None,
        "why": "first deployment",
        "actor": "policy",
        "approval": "4c1d",
        "admitted_by": "emergency",
    },
    "approval": {
        "kind": "approval",
        "id": "a29e1f3b",
        "digest": "9cb00b5b29da81e5",
        "requester": "ada",
        "at": 1700000000.0,
        "signed": [{"person": "eve", "role": "engineering", "at": 1.0}, {"person": "rita", "role": "risk", "at": 2.0}],
    },
    "schema_valid": True,
}


def told(asked, explanation, capsys):
    """What is printed for an explanation, each line with single blanks."""
    show(*TELLERS[frozenset(asked)](explanation))
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_unit_gets_its_release_and_the_reason(pinion):
    """`--route` with `--unit` says the release, the track and why, and what each release's weight is."""
    result = pinion("explain", "--route", "steady", "--unit", "user-1")
    assert 0 == result.exit_code
    assert "unit user-1 on steady gets 1.0.0 as stable: no rollout or experiment is running\n" in result.stdout
    assert ["1.0.0", "100%"] == result.stdout.splitlines()[-1].split()
    as_json = json.loads(pinion("explain", "--route", "steady", "--unit", "user-1", "--json").stdout)
    assert ("steady/1.0.0", "user-1") == (as_json["release"], as_json["unit"])


def test_a_past_request_is_told_as_it_was(pinion, gateway):
    """`--request` tells how a request was decided and how it ended."""
    answer = httpx2.post(f"{gateway.url}/v1/chat/completions", json=CHAT, timeout=60)
    request_id = answer.headers["x-request-id"]
    result = wait_until(lambda: (found := pinion("explain", "--request", request_id)).exit_code == 0 and found)
    assert f"request {request_id} of local to steady got 1.0.0 as stable: no rollout" in result.stdout
    assert "it ended ok with status 200 after " in result.stdout
    assert ["1", "1.0.0", "stable", "ok", "200"] == result.stdout.splitlines()[-1].split()
    assert request_id == json.loads(pinion("explain", "--request", request_id, "--json").stdout)["request_id"]


def test_a_rollout_is_told_with_its_guardrails(pinion):
    """`--rollout` tells the latest rollout of a route, as `rollout show` does."""
    result = pinion("explain", "--rollout", "told")
    assert "told from 1.0.0 to 1.1.0: held, before the first of 2 steps, weight 0%: nobody has" in result.stdout
    assert ["error_rate", "-", "-", "-", "+2", "pt", "-", "-"] in [one.split() for one in result.stdout.splitlines()]
    assert pinion("rollout", "show", "told").stdout == result.stdout


@pytest.mark.parametrize(
    "asked", [("--request", "req_none"), ("--rollout", "nowhere"), ("--route", "nowhere", "--unit", "u")]
)
def test_what_is_not_there_is_a_no(pinion, asked):
    """No such request, rollout or route is exit code 1 and one line."""
    result = pinion("explain", *asked)
    assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith("pinion: no ")


@pytest.mark.parametrize(
    "asked",
    [
        (),
        ("--route", "r"),
        ("--unit", "u"),
        ("--request", "q", "--rollout", "r"),
        ("--route", "r", "--unit", "u", "--request", "q"),
    ],
)
def test_one_thing_is_explained_at_a_time(alone, asked):
    """None or several things to explain are misuse."""
    result = alone("explain", *asked)
    assert 2 == result.exit_code
    assert "say what to explain: --route with --unit, or --request, or --rollout" in result.stderr


def test_a_record_is_told_whole(capsys):
    """What was decided, what it took and cost, and what the provider said of itself."""
    lines = told({"request"}, RECORD, capsys)
    for expected in (
        "request req_1 of helpdesk to support got 1.0.0 as fallback: bucket 4 is under the canary's 50000",
        "it ended cancelled with status 200 after 1.50 s",
        "at 2026-10-01 12:00:00 UTC",
        "endpoint chat, streamed",
        "first token after 250.0 ms",
        "gateway 0.4 ms of its own",
        "tokens 120 in (20 cached), 40 out, partial: the answer was cut",
        "cost 0.0001525 USD",
        "schema valid",
        "prompt digest 9a0b",
        "policy set f9d4cd3ef80059da",
        "deployment in production since 2023-11-14 22:13:20 UTC, by policy: first deployment",
        "approval a29e1f3b, asked for by ada, signed engineering by eve, risk by rita, on 9cb00b5b29da",
        "release support/1.0.0 0d1e candidate active",
        "SDK retries 1",
        "1 1.1.0 canary failed -",
        "2 1.0.0 fallback cancelled 200",
    ):
        assert expected in lines


def test_what_a_record_does_not_know_is_left_out(capsys):
    """Unknown usage is not shown as zero, and an unknown cost is said to be unknown."""
    unknown = dict.fromkeys(
        [
            "input_tokens",
            "cost_usd",
            "first_token_seconds",
            "served_model",
            "bucket",
            "unit_digest",
            "deployment",
            "approval",
        ]
    )
    bare = {
        **RECORD,
        **unknown,
        "cost_status": "unknown",
        "schema_valid": False,
        "stream": False,
        "attempts": [],
        "versions": [],
    }
    lines = told({"request"}, {**bare, "shadow_of": "req_0", "release": ""}, capsys)
    assert "cost unknown" in lines
    assert "copy of req_0" in lines
    assert "schema not valid" in lines
    assert "request req_1 of helpdesk to support got no release: bucket 4 is under the canary's 50000" in lines
    assert not any(
        line.startswith(("tokens", "first token", "served", "bucket", "attempt", "version", "deployment", "approval"))
        for line in lines
    )


def test_an_exception_is_told_as_what_it_is(capsys):
    """Whose word it was, until when and why."""
    word = {"kind": "emergency", "id": "x1", "digest": "9c", "owner": "rob", "reason": "a leak", "until": 1700000000.0}
    lines = told({"request"}, {**RECORD, "approval": word}, capsys)
    assert "approval emergency x1 until 2023-11-14 22:13:20 UTC, on rob's word: a leak" in lines


def test_a_free_answer_costs_nothing(capsys):
    """A known cost of zero is zero."""
    assert "cost 0 USD" in told({"request"}, {**RECORD, "cost_usd": 0.0}, capsys)


def test_a_rollout_that_is_over_shows_what_decided(capsys):
    """The finding of a rollback, and the rule that decided."""
    lines = told({"rollout"}, rollout_answers.rolled_back(), capsys)
    assert "support from 1.0.0 to 1.1.0: rolled back, step 3 of 4, weight 0%" == lines[0]
    assert any(line.startswith("error_rate worse beyond chance") for line in lines)


def test_a_unit_of_a_split_is_told_its_bucket(capsys):
    """The bucket and its salt are shown where there is a split, and why a release is out."""
    explanation = {
        "route": "support",
        "unit": "u",
        "release": "support/1.0.0",
        "version": "1.0.0",
        "track": "arm",
        "why": "arm control holds it",
        "bucket": 31_337,
        "salt": "v1/experiment/support/length",
        "model": "gpt-4o@2024-08-06",
        "prompt": "support@1.0.0",
        "context": {"index": "kb-2026-10"},
        "weights_ppm": {"1.0.0": 1_000_000, "1.1.0": 0},
        "out": {"1.1.0": "out of experiment length: consecutive"},
        "exceptions": [],
        "epoch": 3,
    }
    lines = told({"route", "unit"}, explanation, capsys)
    for expected in (
        "unit u on support gets 1.0.0 as arm: arm control holds it",
        "bucket 31337, of 0 to 999999",
        "salt v1/experiment/support/length",
        "context index=kb-2026-10",
        "1.1.0 0% out of experiment length: consecutive",
    ):
        assert expected in lines
