"""`pinion explain`: why a unit gets its release, how a past request was decided, what became of a rollout."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from rich.console import RenderableType

from gateway.cli.approval_text import on_whose_word
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.rollout_story import story
from gateway.cli.terminal import facts, indented, json_option, line, moment, share, show, show_json, table, width

Teller = Callable[[Mapping[str, Any]], Iterator[RenderableType]]
"""Puts an explanation in words."""


@click.command()
@click.option("--route", metavar="ROUTE", help="With --unit: which release it gets here.")
@click.option("--unit", metavar="UNIT", help="The bare unit: a session, a user, a conversation.")
@click.option("--request", metavar="ID", help="A past request, by the id in its x-request-id.")
@click.option("--rollout", metavar="ROUTE", help="The latest rollout of a route.")
@json_option
@gateway_option
def explain(
    route: str | None,
    unit: str | None,
    request: str | None,
    rollout: str | None,
    gateway: GatewayClient,
    *,
    as_json: bool,
) -> None:
    """Say which release a unit gets and why, how a request was decided, or how a rollout went.

    Takes --route with --unit, or --request, or --rollout.
    """
    given = {"route": route, "unit": unit, "request": request, "rollout": rollout}
    asked = {name: value for name, value in given.items() if value is not None}
    tell = TELLERS.get(frozenset(asked))
    if tell is None:
        raise click.UsageError("say what to explain: --route with --unit, or --request, or --rollout")
    told = gateway.explain(asked)
    if as_json:
        show_json(told)
    else:
        show(*tell(told))


def _unit(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield line(
        "unit ",
        (told["unit"], "bold"),
        f" on {told['route']} gets ",
        (told["version"], "bold"),
        f" as {told['track']}: ",
        told["why"],
    )
    yield indented(
        facts(
            {
                "model": told["model"],
                "prompt": told["prompt"],
                "context": told["context"] or None,
                "bucket": None if told["bucket"] is None else f"{told['bucket']}, of 0 to 999999",
                "salt": told["salt"],
                "epoch": told["epoch"],
            }.items()
        )
    )
    rows = ([version, share(ppm), told["out"].get(version, "")] for version, ppm in told["weights_ppm"].items())
    yield from ("", indented(table(["release", "weight", "out"], rows, whole=2)))
    if told["exceptions"]:
        yield ""
    for each in told["exceptions"]:
        yield indented(line(f"{told['version']}: ").append_text(on_whose_word(each, time.time())))


def _request(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    got = f"{told['release']} as {told['track']}" if told["release"] else "no release"
    yield line(
        "request ",
        (told["request_id"], "bold"),
        f" of {told['app']} to {told['route']} got ",
        (got, "bold"),
        f": {told['why']}",
    )
    yield line(f"it ended {told['outcome']} with status {told['status']} after {_time(told['seconds'])}")
    yield indented(facts({**_decided(told), **_measured(told), **_upstream(told)}.items()))
    if told["versions"]:
        headings = ["version", "digest", "review", "lifecycle"]
        rows = ([each[heading] for heading in headings] for each in told["versions"])
        yield from ("", indented(table(headings, rows, whole=2)))
    if told["attempts"]:
        headings = ["attempt", "release", "track", "outcome", "status"]
        rows = (
            [number, tried["release"], tried["track"], tried["outcome"], tried["status"] or None]
            for number, tried in enumerate(told["attempts"], 1)
        )
        yield from ("", indented(table(headings, rows, whole=5)))


def _decided(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "at": moment(told["at"]),
        "endpoint": f"{told['endpoint']}{', streamed' if told['stream'] else ''}",
        "copy of": told["shadow_of"],
        "bucket": told["bucket"],
        "unit digest": told["unit_digest"],
        "input digest": told["input_digest"],
        "prompt digest": told["prompt_digest"],
        "policy set": told["revision"],
        "epoch": told["epoch"],
        "deployment": _deployment(told["deployment"]),
        "approval": _approval(told["approval"]),
    }


def _deployment(told: Mapping[str, Any] | None) -> str | None:
    if told is None:
        return None
    return f"in {told['environment']} since {moment(told['since'])}, by {told['actor']}: {told['why']}"


def _approval(told: Mapping[str, Any] | None) -> str | None:
    if told is None:
        return None
    if told["kind"] != "approval":
        return f"{told['kind']} {told['id']} until {moment(told['until'])}, on {told['owner']}'s word: {told['reason']}"
    signed = ", ".join(f"{each['role']} by {each['person']}" for each in told["signed"])
    return f"{told['id']}, asked for by {told['requester']}, signed {signed or 'by nobody'}, on {told['digest'][:12]}"


def _measured(told: Mapping[str, Any]) -> Mapping[str, Any]:
    first, cost = told["first_token_seconds"], told["cost_usd"]
    partial = ", partial: the answer was cut" if told["partial"] else ""
    return {
        "first token": None if first is None else f"after {_time(first)}",
        "gateway": f"{_time(told['overhead_seconds'])} of its own",
        "tokens": None if told["input_tokens"] is None else f"{_tokens(told)}{partial}",
        "cost": told["cost_status"] if cost is None else f"{cost:.9f}".rstrip("0").rstrip(".") + " USD",
        "schema": None if told["schema_valid"] is None else "valid" if told["schema_valid"] else "not valid",
    }


def _upstream(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "served model": told["served_model"],
        "fingerprint": told["fingerprint"],
        "response": told["response_id"],
        "provider's id": told["upstream_request_id"],
        "SDK retries": told["sdk_retries"] or None,
    }


def _tokens(told: Mapping[str, Any]) -> str:
    cached = f" ({told['cached_input_tokens']} cached)" if told["cached_input_tokens"] else ""
    return f"{told['input_tokens']} in{cached}, {told['output_tokens']} out"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _rollout(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    return story(told, width())


TELLERS: Mapping[frozenset[str], Teller] = {
    frozenset({"route", "unit"}): _unit,
    frozenset({"request"}): _request,
    frozenset({"rollout"}): _rollout,
}
"""The options that belong together, and how their answer is told."""
