"""`pinion approvals`: what waits for whom, and what serves on an exception."""

import time

import click

from gateway.cli.approval_text import inbox
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.terminal import json_option, show, show_json


@click.command()
@click.option("--all", "everybodys", is_flag=True, help="Every open request, not those alone that wait for you.")
@click.option("--past", is_flag=True, help="Those of the past too.")
@json_option
@gateway_option
def approvals(gateway: GatewayClient, *, everybodys: bool, past: bool, as_json: bool) -> None:
    """List the requests that wait for your sign-off, overdue reviews, and exceptions with their ends."""
    told = gateway.approvals(past=past)
    if as_json:
        show_json(told)
    else:
        show(*inbox(told, time.time(), everybodys=everybodys or past))
