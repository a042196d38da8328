"""What is measured under wrk, in which order: each scenario starts its systems, times them in turn and stops them."""

import contextlib

from loadtests.bench.closed_loop import contenders, requests, streams
from loadtests.bench.lab import Lab
from loadtests.bench.peers import PEERS, PINION
from loadtests.bench.rounds import Series
from loadtests.bench.upstreams import event_upstream, json_upstream, make_certificates
from loadtests.bench.wrk import Load

FAST = [name for name, peer in PEERS.items() if not peer.slow]
ROUTING = [name for name in FAST if PEERS[name].has_routes]

HEADLINE = Load()
STREAMS = Load(connections=100, stream=True)

VARIANTS = {
    "json-1": Load(connections=1),
    "json-512": Load(connections=512),
    "json-100k": Load(body=100 * 1024),
}

ROUTES = 1000


def headline(lab: Lab) -> dict[str, Series]:
    """Time every system with 64 connections and 1 KB."""
    room = lab.room("json-64")
    with json_upstream(lab.nginx, room / "upstream") as upstream, lab.subjects(room, upstream, list(PEERS)) as all_up:
        return {"json-64": requests(lab, "json-64", contenders(all_up), HEADLINE)}


def loads(lab: Lab) -> dict[str, Series]:
    """Time the fast systems with few and many connections, and with large bodies."""
    room = lab.room("loads")
    with json_upstream(lab.nginx, room / "upstream") as upstream, lab.subjects(room, upstream, FAST) as fast:
        return {name: requests(lab, name, contenders(fast), load) for name, load in VARIANTS.items()}


def tls(lab: Lab) -> dict[str, Series]:
    """Time the fast systems over a TLS upstream, and Pinion over a plain one in the same rounds."""
    room = lab.room("tls")
    certificates = make_certificates(room / "certificates")
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(json_upstream(lab.nginx, room / "upstream"))
        secure = stack.enter_context(json_upstream(lab.nginx, room / "secure", certificates))
        own = stack.enter_context(lab.subjects(room / "plain", plain, [PINION.name]))
        over = stack.enter_context(lab.subjects(room, secure, FAST))
        return {"tls": requests(lab, "tls", [*contenders(own), *contenders(over, " tls")], HEADLINE)}


def routes(lab: Lab) -> dict[str, Series]:
    """Time systems with 1,000 routes, asking each in turn, and Pinion with one in the same rounds."""
    room = lab.room("routes")
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(json_upstream(lab.nginx, room / "upstream"))
        one = stack.enter_context(lab.subjects(room / "one", upstream, [PINION.name]))
        many = stack.enter_context(lab.subjects(room, upstream, ROUTING, routes=ROUTES))
        return {"routes": requests(lab, "routes", [*contenders(one), *contenders(many, f" {ROUTES}")], HEADLINE)}


def events(lab: Lab) -> dict[str, Series]:
    """Time relayed events with 100 streams open."""
    room = lab.room("events")
    with (
        event_upstream(room / "upstream") as upstream,
        lab.subjects(room, upstream, FAST, streams=True) as fast,
    ):
        return {"events": streams(lab, "events", contenders(fast), upstream, STREAMS)}


def events_over_tls(lab: Lab) -> dict[str, Series]:
    """Time relayed events with 100 streams open, over a TLS upstream."""
    room = lab.room("events-tls")
    certificates = make_certificates(room / "certificates")
    with (
        event_upstream(room / "upstream", certificates) as upstream,
        lab.subjects(room, upstream, FAST, streams=True) as fast,
    ):
        return {"events-tls": streams(lab, "events-tls", contenders(fast), upstream, STREAMS)}
