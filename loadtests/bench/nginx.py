"""nginx, as the JSON upstream and as a peer: its configuration for both."""

import os
from collections.abc import Iterator
from pathlib import Path

from loadtests.bench.answers import completion
from loadtests.bench.setups import Setup, route_name

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

# More than the upstream's share of the largest load, so that no request opens a connection once all are warm.
KEPT_CONNECTIONS = 1024


def upstream_configuration(folder: Path, port: int, certificate: Path | None) -> str:
    """Configure a server that answers every request with the completion, over TLS when it has a certificate."""
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};" if certificate else ""
    server = f"""
    server {{
      listen 127.0.0.1:{port} {"ssl" if certificate else ""} backlog=8192; {tls}
      default_type application/json;
      location / {{ return 200 '{completion()}'; }}
    }}"""
    return _configuration(folder, server)


def peer_configuration(folder: Path, port: int, setup: Setup) -> str:
    """Configure a proxy in front of the upstream; with many routes, one location each, told apart by the path."""
    scheme, _, address = setup.upstream.partition("://")
    trust = ""
    if setup.trusted:
        trust = (
            f"proxy_ssl_trusted_certificate {setup.trusted}; proxy_ssl_verify on; proxy_ssl_name localhost;"
            " proxy_ssl_server_name on;"
        )
    server = f"""
    upstream provider {{ server {address}; keepalive {KEPT_CONNECTIONS}; keepalive_requests 1000000000; }}
    server {{
      listen 127.0.0.1:{port} backlog=8192;
      client_body_buffer_size 256k;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_read_timeout 600s;
      {trust}
      {"proxy_buffering off;" if setup.streams else ""}
      {" ".join(_locations(scheme, setup.routes))}
    }}"""
    return _configuration(folder, server)


def _locations(scheme: str, routes: int) -> Iterator[str]:
    if routes == 1:
        yield f"location / {{ proxy_pass {scheme}://provider; }}"
    else:
        for number in range(routes):
            yield f"location /{route_name(number)}/ {{ proxy_pass {scheme}://provider/; }}\n"


def _configuration(folder: Path, servers: str) -> str:
    # Started by root, workers would give up root and then could not write below a folder of root's.
    user = "user root;" if os.geteuid() == 0 else ""
    paths = "\n    ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    return f"""
{user}
worker_processes 1;
worker_rlimit_nofile 60000;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 30000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 4m;
    {paths}
    {servers}
}}
"""
