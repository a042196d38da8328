"""`pinion access`: who may what, for whoever reviews it."""

import click

from gateway.cli.access_text import review_text
from gateway.cli.gateway_client import GatewayClient, gateway_option
from gateway.cli.terminal import json_option, show, show_json


@click.group()
def access() -> None:
    """Review who may what, and what of it they use."""


@access.command()
@json_option
@gateway_option
def review(gateway: GatewayClient, *, as_json: bool) -> None:
    """Tell who may what, how they are known, and what they have not used for 90 days, which comes first."""
    told = gateway.access()
    if as_json:
        show_json(told)
    else:
        show(*review_text(told))
