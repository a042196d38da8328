"""Options that several commands take."""

import time

import click
import pytest
from click.testing import CliRunner

from gateway.cli.option import ahead, past, read_by


@pytest.mark.parametrize("read", [past, ahead])
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20", 1_795_132_800.0),
        ("2026-11-20T08:00", 1_795_161_600.0),
        ("2026-11-20T08:00+02:00", 1_795_154_400.0),
    ],
)
def test_a_time_is_read_as_it_is_written(read, text, at):
    """In UTC where it says nothing else."""
    assert at == read(text)


def test_a_duration_is_how_long_ago_or_how_far_off():
    """By what it is asked for."""
    before = time.time()
    assert before - 3600.0 <= past("1h") <= time.time() - 3600.0
    assert before + 3600.0 <= ahead("1h") <= time.time() + 3600.0


@pytest.mark.parametrize("read", [past, ahead])
def test_what_is_no_time_is_refused(read):
    """With how to write one."""
    with pytest.raises(ValueError, match="'soon' is no time; write 24h, 2026-11-20 or 2026-11-20T08:00"):
        read("soon")


@click.command()
@click.option("--at", callback=read_by(past))
def told(at):
    """Tell what was read."""
    click.echo(str(at))


def test_what_a_parser_refuses_is_misuse_of_the_option():
    """Exit code 2, and the option is named; one that is not given is None."""
    refused = CliRunner().invoke(told, ["--at", "soon"])
    assert (2, True) == (refused.exit_code, "Invalid value for '--at': 'soon' is no time" in refused.output)
    assert "None\n" == CliRunner().invoke(told).output
