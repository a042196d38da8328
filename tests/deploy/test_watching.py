"""Rules and dashboards: what they ask for exists, and whoever is called has something to go by."""

import re
from itertools import combinations

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.files import (
    DASHBOARDS,
    DEPLOY,
    ROOT,
    RULES,
    alerts,
    dashboard,
    queries,
    queries_of_panels,
    queries_of_variables,
    services,
)
from tests.deploy.promql import named

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROMETHEUS = {"up"}
"""What Prometheus itself tells of a target."""

OF_A_FLEET = {
    "pinion_fleet_up",
    "pinion_fleet_replicas",
    "pinion_fleet_commands_total",
    "pinion_fleet_messages_total",
    "pinion_fleet_hand_overs_total",
}
"""What a gateway tells with `--fleet` alone."""

OF_TARGETS = {"pinion_notifications_waiting"}
"""What one tells with `--notify` alone."""

TARGET_LABELS = {"job", "instance", "le"}

each_alert = pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
each_board = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def labels() -> dict[str, set[str]]:
    """The labels of each metric, as docs/metrics.md tells them."""
    rows = re.findall(r"^\| `(pinion_\w+)` \| ([^|]*) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", told)) for name, told in rows}


def family(name: str) -> str:
    """The metric that a series is of."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def check(expression: str, series: set[str], labels: dict[str, set[str]]) -> None:
    """Hold that an expression's metrics are told by a gateway, and its labels are some of theirs."""
    found = named(expression)
    told = series | PROMETHEUS | OF_A_FLEET | OF_TARGETS
    assert found.metrics <= told, found.metrics - told
    known = set().union(*(labels[family(name)] for name in found.metrics - PROMETHEUS), TARGET_LABELS)
    assert found.labels <= known, found.labels - known


def test_the_documented_metrics_are_those_of_a_gateway(series, labels):
    """So that the labels of one may be held against the other."""
    assert {family(name) for name in series} <= set(labels)


def test_documented_labels_are_those_of_a_gateway(watched, labels):
    """Wherever a series is there."""
    for one in text_string_to_metric_families(watched.metrics()):
        for sample in one.samples:
            assert labels[family(sample.name)] | {"le"} >= set(sample.labels), sample.name


@each_alert
def test_an_alert_asks_for_what_there_is(rule, series, labels):
    """Each metric is one of a real gateway's, and each label is one of its labels."""
    check(rule["expr"], series, labels)


@each_alert
def test_an_alert_tells_what_it_means(rule):
    """A summary, a description, how urgent it is, and labels that the expression keeps."""
    told = rule["annotations"]
    assert {"summary", "description", "runbook"} == set(told)
    assert all(told.values())
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    used = set(re.findall(r"\$labels\.(\w+)", "".join(told.values())))
    assert used <= named(rule["expr"]).labels | TARGET_LABELS


@each_alert
def test_an_alert_has_its_runbook(rule):
    """The anchor is a heading of docs/operations.md, with what it means, what to look at and what to do."""
    name = rule["alert"]
    assert f"docs/operations.md#{name.lower()}" == rule["annotations"]["runbook"]
    assert f"\n### {name}\n" in OPERATIONS
    text = OPERATIONS.split(f"\n### {name}\n")[1].split("\n#")[0]
    assert ["Means", "Look at", "Do"] == re.findall(r"^\*\*(\w[\w ]*)\.\*\*", text, re.MULTILINE)


def test_alerts_and_runbooks_are_as_many():
    """Each name is there once, and no runbook outlives its alert."""
    names = [rule["alert"] for rule in alerts()]
    assert sorted(set(names)) == sorted(names)
    assert sorted(names) == sorted(re.findall(r"^### (Pinion\w+)$", OPERATIONS, re.MULTILINE))


def test_prometheus_reads_the_rules_and_every_replica():
    """The job has the name that rules ask for; every address of the service is a target."""
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    assert [RULES.name] == settings["rule_files"]
    (job,) = settings["scrape_configs"]
    assert "pinion" == job["job_name"]
    assert [{"names": ["pinion"], "type": "A", "port": 8081, "refresh_interval": "10s"}] == job["dns_sd_configs"]
    assert "pinion" in services()


@each_board
def test_a_panel_asks_for_what_there_is(path, series, labels):
    """Each metric and label of a dashboard's queries, and of its variables'."""
    for expression in queries(dashboard(path)):
        check(expression, series, labels)


@each_board
def test_panels_have_ids_of_their_own_and_lie_beside_each_other(path):
    """Valid JSON whose panels can be linked to, none over another."""
    panels = dashboard(path)["panels"]
    ids = [panel["id"] for panel in panels]
    assert sorted(set(ids)) == sorted(ids)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
        down = one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
        assert not (across and down), (one, other)


@each_board
def test_a_dashboard_uses_its_variables_and_the_provisioned_source(path):
    """Each variable is declared, and data comes from the source that Grafana is given."""
    board = dashboard(path)
    declared = {variable["name"] for variable in board["templating"]["list"]}
    used = {name for query in queries(board) for name in re.findall(r"\$(\w+)", query)} - {"__rate_interval"}
    assert declared == used
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yaml").read_text())["datasources"]
    assert {source["uid"]} == set(re.findall(r'"uid": "(pinion-prometheus|prometheus)"', path.read_text()))


def test_dashboards_are_found_where_they_are_mounted():
    """One has a name of its own, and Grafana looks into the folder that compose mounts."""
    ids = [dashboard(path)["uid"] for path in DASHBOARDS]
    assert ["pinion-overview", "pinion-route"] == ids
    provider = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "pinion.yaml").read_text())
    (looked_into,) = (one["options"]["path"] for one in provider["providers"])
    assert f"./grafana/dashboards:{looked_into}:ro" in services()["grafana"]["volumes"]


def asked_by(path) -> set[str]:
    """The metrics that a dashboard asks for."""
    return {family(name) for query in queries(dashboard(path)) for name in named(query).metrics}


def test_one_routes_dashboard_shows_what_a_rollout_is_judged_by():
    """Weights, breakers, rollbacks, failing share, latencies, first tokens and cost, release beside release."""
    asked = asked_by(DASHBOARDS[1])
    assert asked >= {
        "pinion_release_weight_ppm",
        "pinion_breaker_open",
        "pinion_rollbacks_total",
        "pinion_requests_total",
        "pinion_request_seconds",
        "pinion_first_token_seconds",
        "pinion_cost_usd_total",
    }


def test_the_overview_shows_what_alerts_are_about():
    """Limits, refusals, what is under way, what waits, the store and the fleet."""
    asked = asked_by(DASHBOARDS[0])
    assert asked >= {
        "pinion_app_limit_used_ratio",
        "pinion_app_limited_total",
        "pinion_refused_total",
        "pinion_open_requests",
        "pinion_store_up",
        "pinion_unrecorded_acts",
        "pinion_checkpoints_waiting",
        *OF_A_FLEET,
    }


@each_board
def test_every_panel_is_of_the_chosen_fleets(path):
    """Replicas of several fleets, a job each, are not added up unasked; the variable of fleets alone asks for all."""
    fleets, *others = queries_of_variables(dashboard(path))
    assert "job" not in named(fleets).labels
    for query in (*queries_of_panels(dashboard(path)), *others):
        assert query.count('job=~"$job"') == len(re.findall(r"\b(?:pinion_\w+|up)\b", query)), query


@each_alert
def test_an_alert_adds_up_and_compares_one_fleet(rule):
    """What is grouped keeps the job, so that two fleets in one Prometheus are never taken for one."""
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
        assert "job" in group or not group, rule["expr"]
    assert "scalar" not in rule["expr"]
    assert not re.search(r"\b(?:sum|min|max|count|group)\s*\(", rule["expr"])
