"""`pinion simulator`: run the simulated provider."""

import os
import sys
from pathlib import Path

import click

from gateway.simulator.behaviour import BehaviourError, Faults
from gateway.simulator.server import run


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(path_type=Path),
    help="File that says how the provider behaves; JSON if it ends in .json, YAML otherwise.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the answers and of the drawn errors.")
def simulator(port: int, host: str, faults_file: Path | None, seed: int) -> None:
    """Run a simulated LLM provider on the OpenAI and Anthropic wires."""
    try:
        faults = Faults.read({}) if faults_file is None else Faults.load(faults_file)
    except BehaviourError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    shown = f"[{host}]" if ":" in host else host
    try:
        run(host, port, faults, seed, lambda bound: click.echo(f"simulator ready on http://{shown}:{bound}"))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        click.echo(f"cannot listen on {shown}:{port}: {reason}; choose another --port or --host", err=True)
        sys.exit(2)
