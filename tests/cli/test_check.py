"""`pinion check`."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli.check import check

GOOD = """kind: provider
name: p
dialect: openai
---
kind: route
name: r
releases: {"1": {model: p/u-2024-01-01}}
serve: "1"
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder of its own, on files given by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINION_POLICIES", raising=False)

    def run(files, *arguments, env=None):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return CliRunner().invoke(check, arguments, env=env)

    return run


def test_an_acceptable_folder_is_said_to_be(run):
    """`policies` is the default, and what it holds is counted."""
    result = run({"policies/a.yaml": GOOD})
    summary = "policies: acceptable, 0 warnings; 1 route, 1 release, 1 model, 0 prompts, 1 provider, 0 apps\n"
    assert (0, summary, "") == (result.exit_code, result.stdout, result.stderr)


def test_problems_are_printed_one_a_line(run):
    """With the folder as it was given, and exit code 1."""
    broken = GOOD.replace('serve: "1"', 'serve: "2"') + "rules: {}\n"
    result = run({"conf/x/a.yaml": broken, "conf/b.yaml": "a: 1\n"}, "./conf")
    assert 1 == result.exit_code
    assert [
        "conf/b.yaml:1: the document has no kind; write one of provider, model, dataset, app, rollout_plan, route, "
        "prompt, operator, identity_provider, signing_key, approval_policy",
        "conf/x/a.yaml:9: route r: rules is a set of keys, not a list; "
        "write it in brackets, or one item a line after a dash",
        "./conf: not acceptable, 2 problems",
    ] == result.stdout.splitlines()


def test_a_route_of_tier_high_is_told_what_its_gateway_needs(run):
    """A warning, since the folder does not say how the gateway will be started."""
    result = run({"policies/a.yaml": GOOD + "risk_tier: high\n"})
    said, summary = result.stdout.splitlines()
    assert said.startswith("policies/a.yaml:5: warning: route r is of risk_tier high, which takes an audit trail")
    assert said.endswith("; start the gateway with --audit-key FILE and --audit-anchor ANCHOR")
    assert 0 == result.exit_code
    assert summary.startswith("policies: acceptable, 1 warning; ")


@pytest.mark.parametrize(
    ("dataset", "remedy"),
    [("mials@1", "did you mean 'mails@1'? correct it"), ("golden@3", "declare it, or see `pinion dataset list`")],
)
def test_a_dataset_that_no_file_declares_is_a_warning(run, dataset, remedy):
    """It may be registered, which the folder does not say; the nearest name is told all the same."""
    more = f"""---
kind: dataset
name: mails
versions: {{"1": {{sha256: "{"0" * 64}", rows: 3, origin: our own desk}}}}
---
kind: model
name: m
provider: p
versions: {{"1": {{upstream_model: u-2024-01-01, data: {{training: [{dataset}]}}}}}}
"""
    result = run({"policies/a.yaml": GOOD + more})
    said, summary = result.stdout.splitlines()
    assert (
        f"policies/a.yaml:17: warning: model m: versions.1.data.training.1: dataset '{dataset}' is not declared here, "
        f"so a gateway must have it registered; {remedy}"
    ) == said
    assert (0, True) == (result.exit_code, summary.startswith("policies: acceptable, 1 warning; "))


def test_warnings_are_marked_and_allowed(run):
    """The folder is acceptable all the same."""
    result = run({"policies/a.yaml": GOOD.replace("u-2024-01-01", "u")})
    first, summary = result.stdout.splitlines()
    assert 0 == result.exit_code
    assert first == (
        "policies/a.yaml:7: warning: route r: releases.1.model: 'u' has no date or version, so its model may change; "
        "name a dated one, or say why not with floating:"
    )
    assert summary.startswith("policies: acceptable, 1 warning;")


def test_the_folder_may_come_from_the_environment(run):
    """As the gateway's own option does; the argument wins."""
    files = {"conf/a.yaml": GOOD, "bad/a.yaml": "x"}
    assert 0 == run(files, env={"PINION_POLICIES": "conf"}).exit_code
    assert 1 == run(files, "bad", env={"PINION_POLICIES": "conf"}).exit_code


def test_a_file_that_cannot_be_read_is_a_problem(run):
    """It is printed like every other."""
    result = run({"policies/a.yaml": GOOD, "policies/b.yaml": "x" * (1 << 20) + "y"})
    assert 1 == result.exit_code
    assert result.stdout.startswith("policies/b.yaml:1: the file is over 1048576 bytes; ")


@pytest.mark.parametrize("arguments", [(), ("none",), ("none", "--json"), ("a.yaml",)])
def test_a_folder_that_is_not_there_is_misuse(run, arguments):
    """Exit code 2, and a sentence on standard error."""
    result = run({"a.yaml": GOOD}, *arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "Directory" in result.stderr


def test_json_is_one_object(run):
    """The same as the lines, for machines."""
    result = run({"policies/a.yaml": GOOD.replace("u-2024-01-01", "u")}, "--json")
    report = json.loads(result.stdout)
    assert 0 == result.exit_code
    assert (True, []) == (report["ok"], report["problems"])
    assert [("policies/a.yaml", 7)] == [(warning["file"], warning["line"]) for warning in report["warnings"]]
    assert {"routes": 1, "releases": 1, "models": 1, "prompts": 0, "providers": 1, "apps": 0} == report["counts"]


def test_json_tells_problems_too(run):
    """With exit code 1: of an empty file, say."""
    result = run({"policies/a.yaml": ""}, "--json")
    problem = {
        "file": "policies/a.yaml",
        "line": 1,
        "problem": "the file declares nothing",
        "remedy": "write what it is to declare, or delete the file if that is meant",
    }
    assert 1 == result.exit_code
    assert {"ok": False, "problems": [problem], "warnings": [], "counts": {}} == json.loads(result.stdout)


def test_a_limit_in_dollars_needs_prices(run):
    """The library's or stated ones; what neither knows is a problem of the limit."""
    app = "---\nkind: app\nname: a\nkeys: []\nlimits: [{usd: 1, per: 1d}]\n"
    result = run({"policies/a.yaml": GOOD + app})
    problem = (
        "policies/a.yaml:13: app a has a limit in usd, and may reach r/1, whose price is not known; "
        "state the price of u@2024-01-01, or leave r out of the routes of a"
    )
    assert (1, problem) == (result.exit_code, result.stdout.splitlines()[0])
    known = GOOD.replace("p/u-2024-01-01", "p/gpt-4o-2024-08-06")
    assert 0 == run({"policies/a.yaml": known + app}).exit_code
