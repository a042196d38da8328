"""The peers' configurations, as far as they can be read without starting one."""

import json

import pytest

from gateway.control.policies import load
from loadtests.bench import envoy, governed, nginx
from loadtests.bench.peers import PEERS
from loadtests.bench.programme import QUICK, QUICK_PEERS, SCENARIOS, turns
from loadtests.bench.report import TITLES
from loadtests.bench.setups import Setup


def setup(tmp_path, **options) -> Setup:
    """A task in front of an upstream that nobody runs."""
    return Setup(tmp_path, "http://127.0.0.1:9000", **options)


@pytest.mark.parametrize("routes", [1, 3])
def test_pinions_policies_are_acceptable(tmp_path, routes):
    """With every part governed, and no problem or warning in any."""
    governed.write_policies(tmp_path, setup(tmp_path, routes=routes))
    files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.yaml")}
    loaded = load(files)
    assert () == loaded.warnings


@pytest.mark.parametrize(("routes", "prefixes"), [(1, ["/"]), (2, ["/desk-0/", "/desk-1/"])])
def test_envoy_splits_every_route(tmp_path, routes, prefixes):
    """95 to 5, with outlier detection in both clusters."""
    resources = json.loads(envoy.configuration(8080, setup(tmp_path, routes=routes)))["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    found = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert prefixes == [route["match"]["prefix"] for route in found]
    weights = [cluster["weight"] for cluster in found[0]["route"]["weighted_clusters"]["clusters"]]
    assert [95, 5] == weights
    assert all("outlier_detection" in cluster for cluster in resources["clusters"])


def test_nginx_is_configured_for_its_task(tmp_path):
    """Streams are not buffered, TLS is verified, and blocks are balanced."""
    plain = nginx.peer_configuration(tmp_path, 8080, setup(tmp_path))
    streams = nginx.peer_configuration(tmp_path, 8080, setup(tmp_path, streams=True))
    secure = Setup(tmp_path, "https://127.0.0.1:9000", trusted=tmp_path / "ca.pem")
    assert ["proxy_buffering off" in text for text in (plain, streams)] == [False, True]
    assert "proxy_ssl_verify on" in nginx.peer_configuration(tmp_path, 8080, secure)
    assert plain.count("{") == plain.count("}")
    assert 5 == nginx.peer_configuration(tmp_path, 8080, setup(tmp_path, routes=5)).count("location /desk-")


def test_the_programme_fits_the_peers():
    """Every scenario has systems that exist, and the quick ones are a part of it."""
    assert all(set(one.systems) <= set(PEERS) for one in SCENARIOS.values())
    assert set(QUICK) <= set(SCENARIOS)
    assert set(QUICK_PEERS) <= set(PEERS)
    assert 6 == turns(QUICK, ["pinion", "nginx", "envoy"])
    assert {"json-64", "events", "paced"} <= set(TITLES)
