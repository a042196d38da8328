"""`pinion check`: whether a folder of policies is acceptable, without a store, secrets or a network."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from gateway.adapters.policy_folder import located, read_folder
from gateway.adapters.price_library import PriceLibrary
from gateway.control.policies import Policies, load
from gateway.control.policy_approvals import unanchored
from gateway.control.policy_limits import unpriced
from gateway.control.signatures import unsigned
from gateway.control.undeclared import doubtful_datasets
from gateway.core.errors import PolicyFault, Problem


@click.command()
@click.argument(
    "folder",
    default="policies",
    envvar="PINION_POLICIES",
    type=click.Path(exists=True, file_okay=False),
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(folder: str, *, as_json: bool) -> None:
    """Check the policies in FOLDER and print every problem as FILE:LINE: problem; remedy.

    Exits 0 when they are acceptable, warnings allowed, and 1 when they are not.
    """
    policies: Policies | None = None
    problems: tuple[Problem, ...] = ()
    try:
        policies = load(read_folder(Path(folder)))
        problems = located(folder, (*unsigned(policies), *unpriced(policies, PriceLibrary())))
    except PolicyFault as fault:
        problems = located(folder, fault.problems)
    warnings = () if policies is None else located(folder, sorted(_warnings(policies)))
    counts = {} if policies is None else _counts(policies)
    if as_json:
        click.echo(json.dumps(_report(problems, warnings, counts), indent=2))
    else:
        for problem in problems:
            click.echo(str(problem))
        for warning in warnings:
            click.echo(f"{warning.file}:{warning.line}: warning: {warning.problem}; {warning.remedy}")
        click.echo(_summary(folder, problems, warnings, counts))
    raise SystemExit(1 if problems else 0)


def _warnings(policies: Policies) -> list[Problem]:
    """Give what is worth a warning, with what depends on how a gateway runs and what is registered there."""
    undeclared = doubtful_datasets(policies.undeclared, policies.datasets)
    return [*policies.warnings, *unanchored(policies.routes), *undeclared]


def _counts(policies: Policies) -> dict[str, int]:
    return {
        "routes": len(policies.routes),
        "releases": sum(len(route.releases) for route in policies.routes.values()),
        "models": len(policies.models),
        "prompts": len(policies.prompts),
        "providers": len(policies.providers),
        "apps": len(policies.app_names),
    }


def _report(problems: tuple[Problem, ...], warnings: tuple[Problem, ...], counts: dict[str, int]) -> dict[str, object]:
    return {
        "ok": not problems,
        "problems": [asdict(problem) for problem in problems],
        "warnings": [asdict(warning) for warning in warnings],
        "counts": counts,
    }


def _summary(folder: str, problems: tuple[Problem, ...], warnings: tuple[Problem, ...], counts: dict[str, int]) -> str:
    if problems:
        return f"{folder}: not acceptable, {_counted(len(problems), 'problem')}"
    held = ", ".join(_counted(count, noun.removesuffix("s")) for noun, count in counts.items())
    return f"{folder}: acceptable, {_counted(len(warnings), 'warning')}; {held}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
