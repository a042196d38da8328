"""A running gateway for the commands that talk to one, and a way to run a command as a person does."""

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.api.office import operator, token_of
from tests.gateway_process import PROVIDERS, running_gateway

ROUTES = """
kind: rollout_plan
name: careful
steps: [{percent: 10}, {percent: 50}]
guardrails: [{metric: error_rate, max_delta: 0.02}]
---
kind: route
name: steady
owner: support-team
releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}}
serve: "1.0.0"
---
kind: route
name: tried
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "1.1.0": {model: openai/gpt-4o-2024-11-20}
serve: "1.0.0"
experiment:
  name: length
  arms: {control: {release: "1.0.0", percent: 50}, treatment: {release: "1.1.0", percent: 50}}
  primary: feedback.resolved
  secondary: [error_rate]
"""

CANARY = """
---
kind: route
name: NAME
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "1.1.0": {model: openai/gpt-4o-2024-11-20}
serve: "1.1.0"
rollout: {plan: careful, from: "1.0.0"}
"""

CANARIES = ("verbs", "full", "asked", "retried", "told", "paused", "undone", "watched")
"""Routes with a held rollout, each for one test to move."""


@pytest.fixture(scope="package")
def gateway(tmp_path_factory):
    """A gateway for all tests of the commands; a test that moves a rollout has a route of its own."""
    routes = ROUTES + "".join(CANARY.replace("NAME", name) for name in CANARIES)
    with running_gateway(tmp_path_factory.mktemp("cli"), {"providers.yaml": PROVIDERS, "routes.yaml": routes}) as found:
        yield found


@pytest.fixture
def alone():
    """Runs `pinion` with these arguments, without a gateway; gives click's result."""

    def run(*args, **env):
        return CliRunner().invoke(
            main, args, prog_name="pinion", env={"PINION_ADMIN_TOKEN": None, "PINION_TOKEN": None, **env}
        )

    return run


@pytest.fixture
def pinion(gateway, alone):
    """Runs `pinion` with these arguments against the gateway; gives click's result."""

    def run(*args, **env):
        return alone(*args, PINION_ADMIN_URL=gateway.admin_url, **env)

    return run


STAFF = (
    "kind: route\nname: support\nreleases: {'1': {model: openai/gpt-4o-2024-08-06}}\nserve: '1'\n"
    "---\nkind: app\nname: helpdesk\nowner: support-team\nkeys: []\nroutes: [support]\n"
    + operator("ada", "roles: [admin]")
    + operator("bob", "roles: [author]\nsigns_for: [security]")
    + "---\nkind: operator\nname: bot\nperson: false\nroles: [author]\nowner: platform-team\n"
)
"""A route, an application without keys, an admin, an approver, and a service without a token."""


@pytest.fixture(scope="package")
def staffed_gateway(tmp_path_factory):
    """A gateway that declares operators, and an application."""
    with running_gateway(tmp_path_factory.mktemp("staff"), {"providers.yaml": PROVIDERS, "who.yaml": STAFF}) as found:
        yield found


@pytest.fixture
def as_operator(staffed_gateway, alone):
    """Runs `pinion` with these arguments against that gateway, as the admin ada unless another token is given."""

    def run(*args, token=None):
        return alone(*args, PINION_ADMIN_URL=staffed_gateway.admin_url, PINION_TOKEN=token or token_of("ada"))

    return run
