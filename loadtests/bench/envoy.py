"""Envoy's configuration: a static listener, clusters weighted 95 to 5, outlier detection."""

import json
from typing import Any

from loadtests.bench.setups import Setup, route_name

API = "type.googleapis.com/envoy.extensions"

WEIGHTS = {"stable": 95, "canary": 5}


def configuration(port: int, setup: Setup) -> str:
    """Configure a proxy in front of the upstream, as JSON, which Envoy reads as YAML."""
    manager = {
        "@type": f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(setup.routes)}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{API}.filters.http.router.v3.Router"},
            }
        ],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"name": "edge", "address": _socket(port), "filter_chains": [{"filters": [network]}]}
    resources = {"listeners": [listener], "clusters": [_cluster(name, setup) for name in WEIGHTS]}
    return json.dumps({"static_resources": resources}, indent=1)


def _routes(count: int) -> list[dict[str, Any]]:
    weighted = {"clusters": [{"name": name, "weight": weight} for name, weight in WEIGHTS.items()]}
    action = {"weighted_clusters": weighted, "timeout": "0s"}
    if count == 1:
        return [{"match": {"prefix": "/"}, "route": action}]
    return [
        {"match": {"prefix": f"/{route_name(number)}/"}, "route": {**action, "prefix_rewrite": "/"}}
        for number in range(count)
    ]


def _cluster(name: str, setup: Setup) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _socket(int(setup.upstream.rpartition(":")[2]))}}
    many = 20_000  # its own limits of 1,024 would refuse the larger loads
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "outlier_detection": {"consecutive_5xx": 5},
        "circuit_breakers": {
            "thresholds": [{"max_connections": many, "max_pending_requests": many, "max_requests": many}]
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if setup.trusted:
        trust = {"trusted_ca": {"filename": str(setup.trusted)}}
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{API}.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "localhost",
                "common_tls_context": {"validation_context": trust},
            },
        }
    return cluster


def _socket(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
