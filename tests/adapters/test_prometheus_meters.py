"""What Prometheus reads, as its own parser understands it."""

import random
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.adapters.prometheus_meters import PrometheusMeters
from gateway.core.app import App
from gateway.core.bucket import rollout_salt
from gateway.core.fleet_reading import FleetReading
from gateway.core.limit import Limit, LimitUse
from gateway.core.loop_lag import LoopLag
from gateway.core.model import ModelVersion
from gateway.core.prompt import PromptVersion
from gateway.core.provider import Provider
from gateway.core.record import Record, Tried
from gateway.core.release import Release
from gateway.core.route import Canary, Route
from gateway.core.snapshot import Snapshot

PROVIDER = Provider("acme", "openai", "http://localhost/v1")
MODEL = ModelVersion("gpt", "2024-08-06", PROVIDER, "gpt-2024-08-06", "gpt-2024-08-06", "d")
PROMPT = PromptVersion("support", "1.1.0", "Help.", {}, "system", "d")


def release(route: str, version: str, prompt: PromptVersion | None = None) -> Release:
    """A release of the one model."""
    return Release(route, version, MODEL, prompt, {}, {}, "d", {})


def route_of(name: str, *versions: str, canary_ppm: int = 0) -> Route:
    """A route whose first version is stable, and whose second one the candidate."""
    releases = {version: release(name, version, PROMPT if place else None) for place, version in enumerate(versions)}
    stable, *others = releases.values()
    canary = Canary(others[0], canary_ppm, rollout_salt(name, "a", "b", 1), "r1") if others else None
    return Route(name, "openai", releases, stable, canary=canary)


def snapshot_of(*routes: Route, apps: tuple[str, ...] = ("helpdesk",)) -> Snapshot:
    """What serves."""
    keys = {sha256(name.encode()).digest(): App(name) for name in apps}
    return Snapshot(1, "r", {route.name: route for route in routes}, keys)


REQUESTS = Limit("requests", 4, 60.0)

RECORD = Record(
    request_id="r",
    at=0.0,
    app="helpdesk",
    route="desk",
    release="1.0.0",
    track="stable",
    why="",
    bucket=None,
    unit_digest=None,
    outcome="ok",
    status=200,
    seconds=1.2,
    first_token_seconds=0.3,
    overhead_seconds=0.0003,
    input_tokens=100,
    output_tokens=20,
    cached_input_tokens=40,
    cost_nano_usd=1_500_000,
    cost_status="exact",
    partial=False,
    input_digest="d",
    served_model=None,
    fingerprint=None,
    response_id=None,
    upstream_request_id=None,
    endpoint="chat",
    stream=True,
    sdk_retries=0,
    attempts=(Tried("1.0.0", "stable", "ok", 200),),
    epoch=1,
)


def closed(_route: str, _version: str) -> bool:
    """Every breaker is closed."""
    return False


@pytest.fixture
def meters():
    """Meters that know the route `desk` with two releases; the breaker of 1.1.0 is open."""
    made = PrometheusMeters(
        lambda route, version: (route, version) == ("desk", "1.1.0"),
        lambda: {"overdue": 2},
        notifications=lambda: {"hooks.test": 2},
    )
    made.declare(snapshot_of(route_of("desk", "1.0.0", "1.1.0", canary_ppm=50_000)))
    return made


def read(meters: PrometheusMeters) -> dict[tuple[str, ...], float]:
    """A scrape: (sample name, label values in order of the label names) -> value, zeros left out."""
    text = meters.exposition("")[0].decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse_text(text)
        for sample in family.samples
        if sample.value
    }


def labelled(meters: PrometheusMeters, name: str) -> dict[frozenset[str], float]:
    """One family's samples by their label values, zeros left out."""
    return {frozenset(key[1:]): value for key, value in read(meters).items() if key[0] == name}


def test_a_request_is_counted_everywhere(meters):
    """One answer: its attempt, its latencies, tokens, cost, its application and the time in the gateway."""
    meters.settle(RECORD)
    series = read(meters)
    assert 1 == series["pinion_requests_total", "ok", "1.0.0", "desk", "stable"]
    assert 1 == series["pinion_request_seconds_count", "1.0.0", "desk", "stable"]
    assert 1.2 == series["pinion_request_seconds_sum", "1.0.0", "desk", "stable"]
    assert 0.3 == series["pinion_first_token_seconds_sum", "1.0.0", "desk", "stable"]
    assert 0.0003 == series["pinion_overhead_seconds_sum", "desk"]
    assert 100 == series["pinion_tokens_total", "input", "1.0.0", "desk", "stable"]
    assert 20 == series["pinion_tokens_total", "output", "1.0.0", "desk", "stable"]
    assert 40 == series["pinion_tokens_total", "cached_input", "1.0.0", "desk", "stable"]
    assert 0.0015 == pytest.approx(series["pinion_cost_usd_total", "1.0.0", "desk", "stable"])
    assert 1 == series["pinion_app_requests_total", "helpdesk", "desk"]
    assert 120 == series["pinion_app_tokens_total", "helpdesk", "desk"]
    assert 0.0015 == pytest.approx(series["pinion_app_cost_usd_total", "helpdesk", "desk"])


def test_a_failover_is_two_attempts_and_one_request(meters):
    """Each attempt counts on its own track; the request counts once for its application."""
    tried = (Tried("1.1.0", "canary", "failed", 500), Tried("1.0.0", "fallback", "ok", 200))
    meters.settle(replace(RECORD, track="fallback", attempts=tried))
    assert {
        frozenset(("desk", "1.1.0", "canary", "failed")): 1,
        frozenset(("desk", "1.0.0", "fallback", "ok")): 1,
    } == labelled(meters, "pinion_requests_total")
    assert {frozenset(("helpdesk", "desk")): 1} == labelled(meters, "pinion_app_requests_total")


def test_a_request_without_attempts_counts_as_it_ended(meters):
    """What was refused before any attempt has its own outcome."""
    meters.settle(replace(RECORD, outcome="gateway_fault", status=503, attempts=()))
    assert {frozenset(("desk", "1.0.0", "stable", "gateway_fault")): 1} == labelled(meters, "pinion_requests_total")


@pytest.mark.parametrize(
    ("outcome", "first_token", "counted"),
    [
        ("ok", 0.3, (1, 1)),
        ("ok", None, (1, 0)),
        ("slow", 0.3, (1, 1)),
        ("failed", 0.3, (1, 1)),
        ("failed", None, (0, 0)),
        ("cancelled", 0.3, (0, 0)),
        ("rate_limited", None, (0, 0)),
        ("client_fault", None, (0, 0)),
        ("gateway_fault", None, (0, 0)),
    ],
)
def test_latencies_are_those_of_answers(meters, outcome, first_token, counted):
    """Quick refusals and clients that hang up are not latencies of a release."""
    meters.settle(replace(RECORD, outcome=outcome, first_token_seconds=first_token))
    names = ("pinion_request_seconds_count", "pinion_first_token_seconds_count")
    assert counted == tuple(sum(labelled(meters, name).values()) for name in names)


@pytest.mark.parametrize(
    ("outcome", "attempts", "counted"),
    [
        ("ok", (Tried("1.0.0", "stable", "ok", 200),), 1),
        ("failed", (Tried("1.0.0", "stable", "failed", 200),), 1),
        ("cancelled", (Tried("1.0.0", "stable", "cancelled", 0),), 1),
        ("failed", (Tried("1.0.0", "stable", "failed", 500),), 0),
        ("gateway_fault", (), 0),
        ("ok", (), 1),
    ],
)
def test_unknown_cost_is_counted_as_unknown(meters, outcome, attempts, counted):
    """Where the provider took the request, no known cost is an unknown one and never zero."""
    meters.settle(replace(RECORD, outcome=outcome, attempts=attempts, cost_nano_usd=None, cost_status="unknown"))
    assert counted == sum(labelled(meters, "pinion_cost_unknown_total").values())
    assert {} == labelled(meters, "pinion_cost_usd_total")


def test_unknown_tokens_are_not_counted(meters):
    """Usage that the provider did not tell makes no series."""
    meters.settle(replace(RECORD, input_tokens=None, output_tokens=None, cached_input_tokens=None))
    assert {} == labelled(meters, "pinion_tokens_total")


def test_a_mirrored_request_belongs_to_no_application(meters):
    """It counts for its release on its own track, and for nobody who sent it."""
    tried = (Tried("1.1.0", "shadow", "ok", 200),)
    meters.settle(replace(RECORD, release="1.1.0", track="shadow", sdk_retries=1, attempts=tried))
    series = read(meters)
    assert 1 == series["pinion_requests_total", "ok", "1.1.0", "desk", "shadow"]
    assert 100 == series["pinion_tokens_total", "input", "1.1.0", "desk", "shadow"]
    absent = ("pinion_app_", "pinion_overhead_", "pinion_sdk_retries_")
    assert [] == [key for key in series if key[0].startswith(absent)]


def test_sdk_retries_are_counted(meters):
    """A request counts once, however often its SDK has tried."""
    for retries in (0, 1, 2):
        meters.settle(replace(RECORD, sdk_retries=retries))
    assert {frozenset(("desk",)): 2} == labelled(meters, "pinion_sdk_retries_total")


def test_every_declared_release_has_its_gauges_from_the_start(meters):
    """Weight, breaker and what it is made of, zeros included."""
    text = meters.exposition("")[0].decode()
    assert 'pinion_release_weight_ppm{release="1.0.0",route="desk"} 950000.0' in text
    assert 'pinion_release_weight_ppm{release="1.1.0",route="desk"} 50000.0' in text
    assert 'pinion_breaker_open{release="1.0.0",route="desk"} 0.0' in text
    assert 'pinion_breaker_open{release="1.1.0",route="desk"} 1.0' in text
    made_of = 'model="gpt",model_version="2024-08-06",prompt="{}",prompt_version="{}",provider="acme"'
    assert f'pinion_release_info{{{made_of.format("", "")},release="1.0.0",route="desk"}} 1.0' in text
    assert f'pinion_release_info{{{made_of.format("support", "1.1.0")},release="1.1.0",route="desk"}} 1.0' in text


def test_counters_behind_alerts_start_at_zero(meters):
    """A first event is a rise only where a zero stood before it."""
    text = meters.exposition("")[0].decode()
    assert 'pinion_policy_reloads_total{result="accepted"} 0.0' in text
    assert 'pinion_policy_reloads_total{result="rejected"} 0.0' in text
    assert "pinion_records_dropped_total 0.0" in text
    assert 'pinion_version_mismatch_total{release="1.1.0",route="desk"} 0.0' in text
    assert 'pinion_retries_withheld_total{release="1.1.0",route="desk"} 0.0' in text
    assert 'pinion_rollbacks_total{reason="consecutive",route="desk"} 0.0' in text


def test_single_events_are_counted(meters):
    """Mirror results, rollbacks, mismatches, retries not made, reloads and dropped records."""
    meters.shadow("desk", "1.1.0", "timeout")
    meters.rollback("desk", "cusum")
    meters.mismatch("desk", "1.1.0")
    meters.retry_withheld("desk", "1.0.0")
    meters.reload("rejected")
    meters.dropped(3)
    series = read(meters)
    assert 1 == series["pinion_shadow_total", "1.1.0", "timeout", "desk"]
    assert 1 == series["pinion_rollbacks_total", "cusum", "desk"]
    assert 1 == series["pinion_version_mismatch_total", "1.1.0", "desk"]
    assert 1 == series["pinion_retries_withheld_total", "1.0.0", "desk"]
    assert 1 == series["pinion_policy_reloads_total", "rejected"]
    assert 3 == series["pinion_records_dropped_total",]


def test_what_was_not_declared_is_other(meters):
    """Names from outside, and values outside the fixed sets, share one label."""
    tried = (Tried("9", "sideways", "astonished", 0),)
    meters.settle(replace(RECORD, app="x", route="y", release="9", track="z", attempts=tried))
    meters.shadow("desk", "9", "lost")
    meters.rollback("y", "mood")
    meters.mismatch("y", "1.0.0")
    meters.retry_withheld("desk", "9")
    meters.reload("perhaps")
    series = read(meters)
    assert 1 == series["pinion_requests_total", "other", "other", "other", "other"]
    assert 1 == series["pinion_request_seconds_count", "other", "other", "other"]
    assert 1 == series["pinion_app_requests_total", "other", "other"]
    assert 1 == series["pinion_shadow_total", "other", "other", "desk"]
    assert 1 == series["pinion_rollbacks_total", "other", "other"]
    assert 1 == series["pinion_version_mismatch_total", "other", "other"]
    assert 1 == series["pinion_retries_withheld_total", "other", "desk"]
    assert 1 == series["pinion_policy_reloads_total", "other"]


def test_limits_are_counted_by_application_and_kind():
    """What was refused, from nothing on for every limit that is declared, and the share that is used."""
    meters = PrometheusMeters(closed, dict)
    app = App("helpdesk", limits=(REQUESTS, Limit("usd", 1, 86_400.0)))
    meters.declare(replace(snapshot_of(route_of("desk", "1.0.0")), keys={b"1": app, b"2": App("other")}))
    assert 2 == meters.exposition("")[0].count(b"\npinion_app_limited_total{")
    meters.limited("helpdesk", "requests")
    meters.limited("stranger", "tokens")
    meters.limit_uses = lambda: [("helpdesk", LimitUse(REQUESTS, 3, 9.0))]
    assert {frozenset(("helpdesk", "requests")): 1, frozenset(("other", "tokens")): 1} == labelled(
        meters, "pinion_app_limited_total"
    )
    assert {frozenset(("helpdesk", "requests", "1m")): 0.75} == labelled(meters, "pinion_app_limit_used_ratio")


def test_without_applications_the_one_that_anyone_is_has_a_name():
    """An open gateway counts for `local`."""
    meters = PrometheusMeters(closed, dict)
    meters.declare(replace(snapshot_of(route_of("desk", "1.0.0"), apps=()), open=True))
    meters.settle(replace(RECORD, app="local"))
    assert {frozenset(("local", "desk")): 1} == labelled(meters, "pinion_app_requests_total")


def test_exceptions_are_counted_by_what_they_are(meters):
    """Every kind has a series, zeros included."""
    text = meters.exposition("")[0].decode()
    for line in ('{kind="exception"} 0.0', '{kind="emergency"} 0.0', '{kind="overdue"} 2.0'):
        assert f"\npinion_exceptions{line}\n" in text


def test_counters_survive_a_reload_and_gauges_follow_it(meters):
    """A release that is no longer declared keeps what it counted and loses its gauges; late records still count."""
    meters.settle(RECORD)
    meters.declare(snapshot_of(route_of("desk", "2.0.0")))
    meters.settle(RECORD)
    assert {frozenset(("desk", "1.0.0", "stable", "ok")): 2} == labelled(meters, "pinion_requests_total")
    assert {frozenset(("desk", "2.0.0")): 1_000_000} == labelled(meters, "pinion_release_weight_ppm")


def test_notifications_are_counted_by_host_and_result(meters):
    """A count of 0 makes the series appear; how many wait is asked at each scrape."""
    for result, count in (("given_up", 0), ("failed", 1), ("failed", 1)):
        meters.notified("hooks.test", result, count)
    assert {frozenset(("hooks.test", "failed")): 2} == labelled(meters, "pinion_notifications_total")
    assert b'pinion_notifications_total{result="given_up",target="hooks.test"} 0.0' in meters.exposition("")[0]
    assert {frozenset(("hooks.test",)): 2} == labelled(meters, "pinion_notifications_waiting")


def test_former_names_are_forgotten_at_last():
    """Of many routes, releases and applications that come and go, the latest keep their series."""
    meters = PrometheusMeters(closed, dict, remembered=2)
    for turn in range(10):
        meters.declare(snapshot_of(route_of("desk", f"{turn}"), route_of(f"r{turn}", "1"), apps=(f"a{turn}",)))
        meters.settle(replace(RECORD, release=f"{turn}", app=f"a{turn}", attempts=()))
        meters.settle(replace(RECORD, route=f"r{turn}", release="1", app=f"a{turn}", attempts=()))
    series = read(meters)
    requests = [key for key in series if key[0] == "pinion_requests_total"]
    assert {("7", "desk"), ("8", "desk"), ("9", "desk"), ("1", "r7"), ("1", "r8"), ("1", "r9")} == {
        key[2:4] for key in requests
    }
    assert {"a7", "a8", "a9"} == {key[1] for key in series if key[0] == "pinion_app_requests_total"}


@pytest.mark.untraced
def test_series_stay_bounded_whatever_clients_send(meters):
    """Twenty thousand requests with random names add no series beyond those with the label `other`."""
    chance = random.Random(1)
    meters.settle(RECORD)
    meters.settle(replace(RECORD, app="x", route="x", release="x", track="x", outcome="x", attempts=()))
    for record in (replace(RECORD, release="x"), replace(RECORD, app="x"), replace(RECORD, route="x")):
        meters.settle(replace(record, attempts=()))
    before = meters.exposition("")[0].count(b"\n")
    for _ in range(20_000):
        name = f"n{chance.random()}"
        field = chance.choice(("app", "route", "release"))
        meters.settle(replace(RECORD, **{field: name}, attempts=()))
    assert meters.exposition("")[0].count(b"\n") <= before + 40


def test_label_values_cannot_break_the_format():
    """Quotes, backslashes and line breaks in a declared name are escaped."""
    name = 'a"b\\c\nd'
    meters = PrometheusMeters(closed, dict)
    meters.declare(snapshot_of(route_of(name, "1.0.0"), apps=()))
    meters.settle(replace(RECORD, route=name, attempts=()))
    assert {frozenset((name, "1.0.0", "stable", "ok")): 1} == labelled(meters, "pinion_requests_total")


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=1.0.0", "application/json", "\x00;q=,,,"])
def test_the_text_format_is_the_usual_answer(meters, accept):
    """Whatever a scraper accepts, it gets a format that every scraper reads."""
    body, kind = meters.exposition(accept)
    assert "text/plain; version=0.0.4; charset=utf-8" == kind
    assert list(parse_text(body.decode()))


def test_openmetrics_on_request(meters):
    """Prometheus asks for OpenMetrics first, and the strict parser accepts it."""
    meters.settle(RECORD)
    accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"
    body, kind = meters.exposition(accept)
    assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == kind
    names = {family.name for family in parse_openmetrics(body.decode())}
    assert {"pinion_requests", "pinion_request_seconds", "pinion_release_info"} <= names
    assert body.endswith(b"# EOF\n")


@pytest.mark.anyio
async def test_the_documentation_names_every_metric_and_label(meters):
    """docs/metrics.md has one row for each family, with exactly its labels."""
    meters.settle(replace(RECORD, sdk_retries=1))
    meters.settle(replace(RECORD, cost_nano_usd=None))
    meters.shadow("desk", "1.1.0", "ok")
    meters.notified("hooks.test", "delivered")
    meters.limited("helpdesk", "requests")
    meters.limit_uses = lambda: [("helpdesk", LimitUse(REQUESTS, 3, 9.0))]
    meters.watch_fleet(lambda: FleetReading(True, 3, None, {"ok": 1}, {"acted": 1}, {"said": 1}))
    meters.watch_load((), (), LoopLag(0.1))
    meters.watch_store(lambda: False, (), lambda: {"file:/notes": 0})
    found = {}
    for family in meters.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(pinion_\w+)` \| ([^|]*) \|", page, flags=re.MULTILINE)
    assert found == {name: sorted(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def test_a_fleet_is_told_where_there_is_one(meters):
    """As it is at each scrape."""
    assert "pinion_fleet_up" not in meters.exposition("")[0].decode()
    meters.watch_fleet(lambda: FleetReading(True, 3, None))
    assert "pinion_fleet_replicas 3.0" in meters.exposition("")[0].decode()


def test_the_store_is_told_where_it_is_watched(meters):
    """As it is at each scrape."""
    assert "pinion_store_up" not in meters.exposition("")[0].decode()
    acts = ["a rollback"]
    meters.watch_store(lambda: bool(acts), acts, dict)
    for expected in ("pinion_store_up 0.0\n", "pinion_store_up 1.0\n"):
        told = meters.exposition("")[0].decode()
        assert expected in told
        assert f"pinion_unrecorded_acts {len(acts)}.0\n" in told
        acts.clear()
