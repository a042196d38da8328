"""What `deploy/` holds, read as those read it whom it is for, and what of Pinion it may name."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli import main
from gateway.cli.serve import serve

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = DEPLOY / "prometheus" / "rules.yaml"

SECRETS = ("PINION_ADMIN_TOKEN", "PINION_AUDIT_WEBHOOK_SECRET")
"""What `pinion serve` reads from the environment and has no option for."""


def compose() -> dict[str, Any]:
    """The compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def services() -> Mapping[str, dict[str, Any]]:
    """The services of the compose file."""
    return compose()["services"]


def manifests() -> list[dict[str, Any]]:
    """Every object that the kustomization lists."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = (KUBERNETES / name for name in kustomization["resources"])
    return [found for file in files for found in yaml.safe_load_all(file.read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    """The objects of a kind."""
    return [found for found in manifests() if found["kind"] == kind]


def pod() -> dict[str, Any]:
    """The pod of the Deployment."""
    (deployment,) = of_kind("Deployment")
    return deployment["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    """Its one container."""
    (found,) = pod()["containers"]
    return found


def images() -> list[str]:
    """Every image that is named."""
    return [service["image"] for service in services().values()] + [container()["image"]]


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard(path: Path) -> dict[str, Any]:
    """A dashboard."""
    return json.loads(path.read_text())


def queries(board: Mapping[str, Any]) -> Iterator[str]:
    """Every PromQL expression of a dashboard, those of its variables too."""
    yield from queries_of_panels(board)
    yield from queries_of_variables(board)


def queries_of_panels(board: Mapping[str, Any]) -> Iterator[str]:
    """Every PromQL expression that a panel of a dashboard draws."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def queries_of_variables(board: Mapping[str, Any]) -> Iterator[str]:
    """The PromQL expression of each variable of a dashboard, in their order."""
    for variable in board["templating"]["list"]:
        (asked,) = re.findall(r"label_values\((.*), \w+\)", variable["query"]["query"])
        yield asked


def environment_names() -> set[str]:
    """Every environment variable that `pinion serve` reads."""
    return {f"PINION_{option.name}".upper() for option in serve.params} | set(SECRETS)


def served_with(environment: Mapping[str, str]) -> dict[str, Any]:
    """What `pinion serve` makes of its environment, by option; call it with that environment set.

    Raises:
        click.ClickException: it refuses a value.
    """
    named = {name for name in environment if name.startswith("PINION_")}
    assert named <= environment_names(), named - environment_names()
    with serve.make_context("serve", []) as context:
        return dict(context.params)


def options_of(verb: str) -> set[str]:
    """The options that a command of `pinion` takes; the command exists."""
    command = main.get_command(click.Context(main), verb)
    assert command is not None, verb
    return {name for option in command.params for name in option.opts}
