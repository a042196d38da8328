"""`pinion release` and `pinion approvals` against a gateway whose route a policy governs."""

import json
import re

import httpx2
import pytest

from tests.api.office import operator, token_of
from tests.gateway_process import PROVIDERS, running_gateway, wait_until

STAFF = operator("ada", "roles: [author, operator]") + operator("eve", "signs_for: [risk]")
ROUTE = """
kind: route
name: desk
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "1.1.0": {model: openai/gpt-4o-2024-11-20}
  "1.2.0": {model: openai/gpt-4o-2024-11-20, params: {temperature: 0}}
serve: "1.0.0"
"""
POLICY = "kind: approval_policy\nname: prod\nrequires: {risk: 1}\nemergency: {roles: [operator]}\n"


@pytest.fixture(scope="module")
def governed(tmp_path_factory):
    """A gateway that may serve nothing yet."""
    files = {"providers.yaml": PROVIDERS, "routes.yaml": ROUTE, "staff.yaml": STAFF, "policy.yaml": POLICY}
    with running_gateway(tmp_path_factory.mktemp("release"), files, "--environment", "production") as found:
        yield found


@pytest.fixture
def by(governed, alone):
    """Runs `pinion` as an operator; gives click's result."""

    def run(name, *args):
        return alone(*args, PINION_ADMIN_URL=governed.admin_url, PINION_TOKEN=token_of(name))

    return run


def test_a_release_is_requested_reviewed_and_approved(by):
    """Each command says where the request stands; the last one that it is approved."""
    asked = by("ada", "release", "request", "desk/1.1.0", "--reason", "better", "--rollback-plan", "serve 1.0.0")
    assert (0, True) == (asked.exit_code, "desk/1.1.0 in production: open" in asked.output)
    review = by("eve", "release", "review", "desk/1.1.0")
    assert (0, True) == (review.exit_code, "desk/1.0.0" in review.output)
    digest = json.loads(by("eve", "release", "review", "desk/1.1.0", "--json").output)["digest"]
    assert "may sign" in by("eve", "approvals").output
    assert 2 == by("ada", "release", "approve", "desk/1.1.0").exit_code
    assert 1 == by("eve", "release", "approve", "desk/1.1.0", "--digest", "0" * 12).exit_code
    done = by("eve", "release", "approve", "desk/1.1.0", "--digest", digest[:12], "--comment", "read it")
    assert (0, True) == (done.exit_code, "approved by eve" in done.output)
    assert "approved" in by("eve", "approvals", "--past").output


def test_requests_are_withdrawn_and_rejected(by):
    """Off a terminal and as JSON."""
    by("ada", "release", "request", "desk/1.2.0")
    told = json.loads(by("ada", "release", "withdraw", "desk/1.2.0", "--reason", "not yet", "--json").output)
    assert ("withdrawn", "not yet") == (told["state"], told["ended_reason"])
    assert 1 == by("ada", "release", "withdraw", "desk/1.2.0").exit_code
    by("ada", "release", "request", "desk/1.2.0")
    assert "rejected by eve: it lies" in by("eve", "release", "reject", "desk/1.2.0", "--reason", "it lies").output


def test_exceptions_and_emergencies(by):
    """On their owner's word."""
    told = by("ada", "release", "except", "desk/1.0.0", "--until", "30d", "--reason", "a trial")
    assert (0, True) == (told.exit_code, "exception until" in told.output)
    told = json.loads(by("ada", "release", "emergency", "desk/1.0.0", "--reason", "fire", "--json").output)
    assert told["is_emergency"]
    listed = json.loads(by("ada", "approvals", "--all", "--json").output)
    assert ["a trial", "fire"] == [each["reason"] for each in listed["exceptions"]]


def test_what_serves_by_an_exception_says_so_wherever_it_is_told(by, governed):
    """In the status, an explanation, the release's page, a plan, the deployments, and the metrics."""
    by("ada", "release", "except", "desk/1.0.0", "--until", "30d", "--reason", "until the audit")
    deployments = wait_until(lambda: "desk/1.0.0" in (said := by("ada", "deployment", "list", "desk").output) and said)
    assert re.search(r"serves now +\w+ +(exception|emergency) [0-9a-f]{16} ", deployments)
    word = re.compile(r"exception until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, on ada's word: until the audit")
    for command in (
        ("status",),
        ("explain", "--route", "desk", "--unit", "u"),
        ("release", "show", "desk/1.0.0"),
        ("plan", str(governed.policies)),
    ):
        assert word.search(by("ada", *command).output), command
    metrics = httpx2.get(f"{governed.admin_url}/metrics", timeout=60).text
    assert re.search(r'pinion_exceptions\{kind="exception"\} [1-9]', metrics)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["request"], "name a release as ROUTE/VERSION, or an approval policy with --policy"),
        (["approve", "desk/1.0.0", "--policy", "prod"], "name a release as ROUTE/VERSION"),
        (["request", "--policy", "prod", "--rollback-plan", "x"], "a rollback plan is of a release"),
        (["except", "desk/1.0.0", "--until", "soon", "--reason", "x"], "soon"),
        (["reject", "desk/1.0.0"], "Missing option '--reason'"),
    ],
)
def test_misuse_is_told(by, args, said):
    """With exit code 2."""
    result = by("ada", "release", *args)
    assert (2, True) == (result.exit_code, said in result.output)


def test_a_policy_that_no_set_would_change_is_not_requested(by):
    """The answer is no."""
    result = by("ada", "release", "request", "--policy", "prod")
    assert (1, True) == (result.exit_code, "no policy set that was read would change" in result.output)
