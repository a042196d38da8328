"""The command `pinion` itself."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway import __version__
from gateway.cli import SECTIONS, main

DOCS = Path(__file__).parents[2] / "docs"
NAMES = [name for commands in SECTIONS.values() for name in commands]


def test_help_lists_every_command_under_its_heading(alone):
    """The help shows each heading and each command with its summary, and what the exit codes mean."""
    result = alone("--help")
    assert 0 == result.exit_code
    for heading, commands in SECTIONS.items():
        assert f"\n{heading}:\n" in result.output
        for name, summary in commands.items():
            assert [name, *summary.split()] in [line.split() for line in result.output.splitlines()]
    assert "Exit codes: 0" in result.output


@pytest.mark.parametrize("name", NAMES)
def test_every_listed_command_is_there(name):
    """Each name in the help is a command of that name."""
    found = main.get_command(click.Context(main), name)
    assert isinstance(found, click.Command)
    assert name == found.name


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_documented(name):
    """The pages in docs/ name each option of each command."""
    written = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    found = main.get_command(click.Context(main), name)
    commands = [found, *(found.commands.values() if isinstance(found, click.Group) else [])]
    options = {text for command in commands for one in command.params for text in one.opts if text.startswith("--")}
    assert set() == {text for text in options if f"`{text}" not in written and f" {text}" not in written}


def test_an_unknown_command_is_misuse(alone):
    """A command that does not exist, `halt` of a rollout too, is exit code 2."""
    assert 2 == alone("serv").exit_code
    assert "No such command 'serv'" in alone("serv").stderr
    assert 2 == alone("rollout", "halt", "support").exit_code


def test_version_is_the_packages(alone):
    """`--version` names the program and its version."""
    assert f"pinion {__version__}\n" == alone("--version").stdout


def test_the_package_runs_as_the_command():
    """`python -m gateway` is `pinion`."""
    result = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert f"pinion {__version__}\n" == result.stdout


def test_a_quick_command_does_not_import_what_serves():
    """Rolling back loads neither the database nor the web server."""
    code = "import sys, gateway.cli.rollout; print(sorted({'sqlalchemy', 'starlette', 'uvicorn'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == result.stdout


def test_nothing_is_collected_while_a_command_is_imported():
    """Collections while modules are made would find nothing, and take a seventh of the start."""
    code = """
import gc, click
from gateway.cli import main
before = [generation["collections"] for generation in gc.get_stats()]
main.get_command(click.Context(main), "serve")
print(before == [generation["collections"] for generation in gc.get_stats()], gc.isenabled())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "True True\n" == result.stdout
