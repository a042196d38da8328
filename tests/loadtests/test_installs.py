"""Environments of the peers, as far as they need no index."""

import pytest

from loadtests.bench.installs import Missing, from_debian, from_npm, output_of


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A PATH with one program on it, `known`, which prints its version."""
    program = tmp_path / "bin" / "known"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho known 1.2\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_a_program_of_the_system_is_taken_as_it_is(bare, tmp_path):
    """Nothing is fetched for it."""
    install = from_debian("known", ["known"], lambda found: output_of([str(found.program)]).strip())
    found = install(tmp_path / "bench")
    assert (bare, "known 1.2", {}) == (found.program, found.version, found.environment)
    assert not (tmp_path / "bench").exists()


@pytest.mark.usefixtures("bare")
def test_what_cannot_be_installed_is_missing_with_the_reason(tmp_path):
    """It says what is lacking, and raises nothing."""
    outcomes = [
        from_debian("no-such-program", ["no-such-package"], lambda _: "")(tmp_path / "bench"),
        from_npm("@some/package", "1.0.0", "start.js")(tmp_path / "bench"),
    ]
    assert all(isinstance(outcome, Missing) for outcome in outcomes)
    assert ["no apt-get" in outcomes[0].reason, "node and npm" in outcomes[1].reason] == [True, True]


def test_a_command_that_cannot_be_run_prints_nothing(tmp_path):
    """Asking a version never ends a run."""
    assert "" == output_of([str(tmp_path / "nothing")])
