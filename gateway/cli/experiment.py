"""`pinion experiment`: what an experiment shows, and its requests for an analysis of your own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
from rich.console import Console

from gateway.cli.experiment_chart import chart
from gateway.cli.experiment_text import story
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.option import since_option
from gateway.cli.terminal import counted, json_option, show, show_json

route_argument = click.argument("route")


@click.group()
def experiment() -> None:
    """Report what an experiment shows, and export its requests."""


@experiment.command()
@route_argument
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw the effects into this file, too.")
@json_option
@gateway_option
def report(route: str, svg: Path | None, gateway: GatewayClient, *, as_json: bool) -> None:
    """Tell what the experiment of a route shows: a verdict, the arms, and each metric's effect with its interval."""
    told = gateway.experiment(route)
    if svg is not None:
        _write(svg, chart(told))
    if as_json:
        show_json(told)
    else:
        show(*story(told))


@experiment.command()
@route_argument
@since_option
@click.option(
    "--output", type=click.File("wb", atomic=True), default="-", help="A file instead, written once all are there."
)
@gateway_option
def exposures(route: str, since: float | None, output: IO[bytes], gateway: GatewayClient) -> None:
    """Export the requests that the experiment of a route decided, one JSON object a line, the oldest first."""
    for piece in _counted(gateway.exposures(route, since), is_watched=sys.stderr.isatty()):
        output.write(piece)


def _counted(pieces: Iterator[bytes], *, is_watched: bool) -> Iterator[bytes]:
    """Pass lines on, and tell whoever watches on standard error how many there are so far."""
    if not is_watched:
        yield from pieces
        return
    lines = 0
    with Console(stderr=True).status("exporting") as status:
        for piece in pieces:
            lines += piece.count(b"\n")
            status.update(f"exporting: {counted(lines, 'request')}")
            yield piece
    click.echo(f"exported {counted(lines, 'request')}", err=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
