"""`pinion status`."""

import json
import re

import pytest
from rich.text import Text

from gateway.cli.status import status_text
from gateway.cli.terminal import show
from tests.cli.test_approval_text import EXCEPTION

RELEASE = {
    "release": "1.0.0",
    "model": "gpt-4o@2024-08-06",
    "prompt": "support@1.0.0",
    "provider": "openai",
    "digest": "abcd",
    "weight_ppm": 1_000_000,
    "out": None,
    "breaker": {"state": "closed"},
    "served": {"served_model": None, "fingerprint": None, "mismatches": 0},
    "exceptions": [],
}

ROLLOUT = {
    "route": "support",
    "from": "1.0.0",
    "candidate": "1.1.0",
    "state": "running",
    "step": 1,
    "steps": 2,
    "weight_ppm": 50_000,
    "shadow_ppm": 0,
    "holds": [],
    "reason": "looks well",
    "actor": "local",
    "updated_at": 1_790_856_060.0,
}

ROUTE = {
    "route": "support",
    "dialect": "openai",
    "owner": "support-team",
    "stable": "1.0.0",
    "rollout": None,
    "former": [],
    "experiment": None,
    "shadow": None,
    "fallback": [],
    "releases": [RELEASE],
}

STATUS = {
    "version": "1.2.3",
    "policies": "policies",
    "ready": True,
    "open_requests": 3,
    "open_shadows": 1,
    "unrecorded_acts": 0,
    "worker": None,
    "store_away": False,
    "notifications": [],
    "fleet": None,
    "epoch": 7,
    "revision": "0123456789abcdef",
    "dev": False,
    "open": False,
    "reload": {"result": "accepted", "at": 1_790_856_000.0, "problems": [], "warnings": []},
    "routes": [ROUTE],
}

NOW = 1_790_856_100.0
DAY = 86_400.0

PROBLEM = {"file": "policies/a.yaml", "line": 3, "problem": "it is wrong", "remedy": "mend it"}


@pytest.fixture
def told(capsys):
    """What is printed for a status, each line with single blanks."""

    def tell(columns=200, **changes):
        show(*status_text({**STATUS, **changes}, columns, NOW))
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return tell


@pytest.fixture
def told_route(told):
    """What is printed for one route."""

    def tell(*releases, columns=200, **changes):
        own = [{**RELEASE, **release} for release in releases] or [RELEASE]
        lines = told(columns, routes=[{**ROUTE, "releases": own, **changes}])
        return lines[lines.index("") + 1 :]

    return tell


def test_the_process_is_told_first(told):
    """The version, readiness, what is open, which policies serve, and how the last reload ended."""
    assert [
        "pinion 1.2.3 ready, 3 open requests, 1 open shadow",
        "policies policies, revision 0123456789ab, epoch 7",
        "last reload 2026-10-01 12:00:00 UTC accepted",
        "",
    ] == told()[:4]


def test_what_is_unusual_is_told(told):
    """A gateway that is not ready, in dev, open to anyone, without a reload, or behind with its records says so."""
    lines = told(ready=False, dev=True, open=True, reload=None, unrecorded_acts=2)
    assert [
        "pinion 1.2.3 not ready, dev, 3 open requests, 1 open shadow",
        "policies policies, revision 0123456789ab, epoch 7",
        "callers anyone on this machine: no app is declared",
        "unrecorded 2 acts not in the store yet",
        "",
    ] == lines[:5]


def test_a_store_that_is_away_is_told(told):
    """A gateway that does not say is taken to have its store."""
    assert "store away: what serves goes on, and no act that gives traffic is taken" in told(store_away=True)
    older = {name: value for name, value in STATUS.items() if name != "store_away"}
    assert not any("away" in one.plain for one in status_text(older, 80, NOW) if isinstance(one, Text))


def test_a_worker_says_which_it_is(told):
    """Of how many, and where the operations of each are; a gateway of one process says nothing of it."""
    urls = ["http://127.0.0.1:8081", "http://127.0.0.1:8082"]
    expected = "worker 1 of 2; operations on http://127.0.0.1:8081, http://127.0.0.1:8082"
    assert expected in told(worker={"index": 1, "operations": urls})
    assert not any("worker" in each for each in told(worker=None))


def test_notifications_that_have_not_arrived_are_told(told):
    """By target, with what became of the latest; one that has everything is none to tell of."""
    fault = "https://a.test: answered 500; a redirect is not followed"
    lines = told(
        notifications=[
            {"target": "a.test", "waiting": 2, "stopped": False, "fault": fault},
            {"target": "b.test", "waiting": 1, "stopped": True, "fault": "https://b.test: answered 410"},
            {"target": "c.test", "waiting": 1, "stopped": False, "fault": None},
            {"target": "d.test", "waiting": 0, "stopped": False, "fault": None},
        ]
    )
    assert (
        f"notifications 2 waiting for a.test: {fault}; 1 waiting for b.test: stopped until the next start; "
        "1 waiting for c.test: on their way"
    ) in lines
    older = {name: value for name, value in STATUS.items() if name != "notifications"}
    assert not any("waiting" in one.plain for one in status_text(older, 80, NOW) if isinstance(one, Text))


def test_a_fleet_is_told(told):
    """How many gateways there are, or since when nobody knows; nothing without one."""
    assert not any(each.startswith("fleet") for each in told())
    assert "fleet 3 replicas" in told(fleet={"up": True, "replicas": 3, "away_since": None})
    away = {"up": False, "replicas": 1, "away_since": 1_790_856_060.0}
    assert any(each.startswith("fleet away since 2026-") for each in told(fleet=away))
    assert any(each.startswith("fleet away: the others") for each in told(fleet={**away, "away_since": None}))


def test_a_rejected_reload_shows_its_problems(told):
    """The problems of a rejected set are shown, one a line, as the warnings of an accepted one are."""
    rejected = {"result": "rejected", "at": 1_790_856_000.0, "problems": [PROBLEM], "warnings": []}
    lines = told(reload=rejected)
    assert "last reload 2026-10-01 12:00:00 UTC rejected; the last good set goes on serving" in lines
    assert "policies/a.yaml:3: it is wrong; mend it" in lines
    accepted = {"result": "accepted", "at": 1_790_856_000.0, "problems": [], "warnings": [PROBLEM]}
    assert "policies/a.yaml:3: warning: it is wrong; mend it" in told(reload=accepted)


def test_a_route_is_a_table_of_its_releases(told_route):
    """A route shows each release with its share, breaker, model, prompt and served model."""
    seen = {"served_model": "gpt-4o-2024-08-06", "fingerprint": None, "mismatches": 0}
    lines = told_route(
        {"weight_ppm": 950_000, "served": seen},
        {"release": "1.1.0", "weight_ppm": 50_000, "prompt": None, "breaker": {"state": "half_open"}},
        {"release": "1.2.0", "weight_ppm": 0},
        rollout=ROLLOUT,
    )
    assert "support openai, owner support-team" == lines[0]
    assert "release serves breaker model prompt served model" == lines[1]
    assert [
        "1.0.0 95% stable closed gpt-4o@2024-08-06 support@1.0.0 gpt-4o-2024-08-06",
        "1.1.0 5% canary half-open gpt-4o@2024-08-06 - -",
        "1.2.0 0% closed gpt-4o@2024-08-06 support@1.0.0 -",
        "rollout from 1.0.0 to 1.1.0: running, step 1 of 2, weight 5%",
        "last move 2026-10-01 12:01:00 UTC by local: looks well",
    ] == lines[3:]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "shadow", "weight_ppm": 0, "shadow_ppm": 100_000}, "shadow, step 1 of 2, shadow 10%"),
        (
            {"state": "held", "holds": ["min_requests", "stale"]},
            "held, step 1 of 2, weight 5%: too few requests; no fresh outcomes",
        ),
        (
            {"state": "held", "step": None, "weight_ppm": 0, "holds": ["not_started"]},
            "held, before the first of 2 steps, weight 0%: nobody has started it",
        ),
    ],
)
def test_a_rollout_is_told_with_what_holds_it(told_route, changes, expected):
    """Its state, its step, its weight or mirrored share, and its holds in words."""
    assert f"rollout from 1.0.0 to 1.1.0: {expected}" in told_route(rollout={**ROLLOUT, **changes})


def test_warm_releases_are_told_until_they_cool(told_route):
    """Thirty days after they were stable; one that is out or cold is none to go back to."""
    former = [
        {"release": "1.0.0", "until": NOW - DAY},
        {"release": "0.9.0", "until": NOW - 2 * DAY},
        {"release": "0.8.0", "until": NOW - 31 * DAY},
    ]
    lines = told_route({}, {"release": "0.9.0", "out": "rolled back: it failed"}, former=former)
    assert "warm 1.0.0, until 2026-10-30 12:01:40 UTC" in lines
    both = told_route(former=former)
    assert "warm 1.0.0, until 2026-10-30 12:01:40 UTC; 0.9.0, until 2026-10-29 12:01:40 UTC" in both
    assert not any(line.startswith("warm") for line in told_route(former=former[2:]))


def test_a_narrow_terminal_leaves_the_served_model_out(told_route):
    """Where there is little room the served model has no column; one that was not pinned is still told."""
    wrong = {"served_model": "gpt-4o-2024-05-13", "fingerprint": None, "mismatches": 1}
    lines = told_route({"served": wrong}, columns=80, owner=None)
    assert ["support openai", "release serves breaker model prompt"] == lines[:2]
    assert "1.0.0 was answered by another model than pinned, 1 time; last seen: gpt-4o-2024-05-13" == lines[-1]
    assert "than pinned, 4 times; " in told_route({"served": {**wrong, "mismatches": 4}})[-1]


def test_an_experiment_and_what_else_decides(told_route):
    """Arms are told with their shares, a shadow with its own, fallbacks in their order."""
    arms = [
        {"arm": "control", "release": "1.0.0", "range": [0, 500_000]},
        {"arm": "treatment", "release": "1.1.0", "range": [500_000, 750_000]},
    ]
    lines = told_route(
        {"weight_ppm": 750_000},
        {"release": "1.1.0", "weight_ppm": 250_000},
        experiment={"name": "length", "arms": arms},
        shadow={"release": "1.1.0", "ppm": 100_000},
        fallback=["1.0.0", "0.9.0"],
    )
    assert "1.1.0 25% arm closed gpt-4o@2024-08-06 support@1.0.0 -" in lines
    assert [
        "experiment length: control 1.0.0 50%, treatment 1.1.0 25%",
        "shadow 10% of stable's requests are copied to 1.1.0",
        "fallback 1.0.0, 0.9.0",
    ] == lines[-3:]


def test_a_release_that_is_out_says_why(told_route):
    """A release that gets no requests says why, unless the rollout does already; an open breaker says how long."""
    out = {"release": "1.1.0", "weight_ppm": 0, "out": "out of experiment length: consecutive"}
    shut = {"breaker": {"state": "open", "probes_in_seconds": 12.3}}
    assert "1.1.0 is out of experiment length: consecutive" == told_route({}, {**out, **shut})[-1]
    assert "1.1.0 out open gpt-4o@2024-08-06 support@1.0.0 -" in told_route({}, {**out, **shut})
    rolled_back = {**ROLLOUT, "state": "rolled_back", "weight_ppm": 0, "reason": "consecutive"}
    assert told_route({}, out, rollout=rolled_back)[-1].startswith("last move")
    assert "1.0.0 is tried again in 12s: its breaker is open" == told_route(shut)[-1]


def test_a_breaker_that_has_closed_tells_what_its_release_has_taken_back(told_route):
    """The share of its units, until it has all; a gateway that does not say is taken to have."""
    lines = told_route(
        {"breaker": {"state": "closed", "share_ppm": 250_000}},
        {"release": "1.1.0", "breaker": {"state": "closed", "share_ppm": 1_000_000}},
        {"release": "1.2.0", "breaker": {"state": "half_open", "share_ppm": 0}},
    )
    assert ["closed 25% gpt", "closed gpt", "half-open gpt"] == [
        re.search("[a-z-]+( 25%)? gpt", each).group() for each in lines[3:6]
    ]


def test_what_serves_without_an_approval_says_on_whose_word(told_route):
    """Below its route, with the end and the reason."""
    made = {**EXCEPTION, "until": NOW + 60.0}
    said = "1.0.0: exception until 2026-10-01 12:02:40 UTC, on ada's word: a trial"
    assert said == told_route({"exceptions": [made]})[-1]


def test_it_shows_a_real_gateway(pinion, gateway):
    """Every route that serves is shown, and `--json` prints what the gateway answers."""
    lines = [" ".join(line.split()) for line in pinion("status").stdout.splitlines()]
    assert "steady openai, owner support-team" in lines
    assert "1.0.0 100% stable closed gpt-4o@2024-08-06 - -" in lines
    told = json.loads(pinion("status", "--json").stdout)
    assert set(STATUS) == set(told)
    assert str(gateway.policies) == told["policies"]
