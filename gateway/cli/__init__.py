"""The command `pinion`: one module a command, imported once its command is asked for.

Importing on demand keeps a rollback quick: the modules that serve take longer to import than the command to act.
"""

import importlib
from collections.abc import Mapping

import click

from gateway import __version__
from gateway.adapters.interpreter import uncollected

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Serving": {
        "serve": "Serve the routes of a policy folder.",
        "simulator": "Run a simulated LLM provider on the OpenAI and Anthropic wires.",
        "demo": "Show three rollouts, two of them rolled back, and measure them.",
    },
    "Policies": {
        "check": "Check a folder of policy files.",
        "schema": "Write JSON Schema for policy files.",
        "card": "Check, fill in and export model cards.",
    },
    "A running gateway": {
        "status": "Show what serves now.",
        "explain": "Say why a unit or a request got its release, or a rollout ended.",
        "rollout": "Start, promote, pause, roll back, undo, show and watch rollouts.",
        "experiment": "Report what an experiment shows, and export its requests.",
        "reload": "Read the policy files again.",
        "audit": "Show, verify, prove and export the audit trail.",
    },
    "The record": {
        "plan": "Show what a folder of policies would mean, before it is merged.",
        "model": "Register, list, show, compare and end versions of models.",
        "prompt": "The same of prompt versions.",
        "dataset": "The same of dataset versions.",
        "release": "The same of releases; sign, request, approve and except them.",
        "approvals": "List what waits for a sign-off, and exceptions.",
        "deployment": "List what served when.",
        "compliance": "Export evidence for the clauses of frameworks.",
    },
    "Access": {
        "app": "Make, issue, rotate and revoke the keys of applications.",
        "operator": "Make, issue and revoke the tokens of operators, and list them.",
        "access": "Review who may what, and what of it they use.",
    },
}
"""Every command under its heading, with its summary, which `pinion --help` shows without importing the command."""


class Commands(click.Group):
    """A group that finds the command NAME in the module `gateway.cli.NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names of all commands, in the order of the help."""
        del ctx
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        with uncollected():
            module = importlib.import_module(f"gateway.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        del ctx
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))


@click.group(cls=Commands, epilog="Exit codes: 0 done, 1 the answer is no, 2 misuse or no gateway there.")
@click.version_option(__version__, message="pinion %(version)s")
def main() -> None:
    """Pinion, an inference gateway: exact releases, sticky splits, and a bad release out within seconds."""
