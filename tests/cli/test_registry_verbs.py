"""What every registry's command group has in common, against a gateway."""

import json

import click
import pytest

from gateway.cli.registry_verbs import VersionArgument
from tests.cli.registry_files import written

KINDS = ("model", "prompt", "dataset")


@pytest.fixture
def registered(pinion, tmp_path):
    """Two versions of a new name, registered; gives the name."""

    def register(kind, name):
        result = pinion(kind, "register", *written(tmp_path, kind, name))
        assert 0 == result.exit_code, result.stderr
        return name

    return register


@pytest.mark.parametrize("kind", KINDS)
def test_versions_are_registered_listed_and_shown(pinion, registered, kind):
    """Each in one line; then among the others, and alone with everything that is known."""
    name = registered(kind, f"shown-{kind}")
    listed = [line.split() for line in pinion(kind, "list").stdout.splitlines()]
    assert [f"{name}@1", f"{name}@2"] == [words[0] for words in listed if words and words[0].startswith(name)]
    result = pinion(kind, "show", f"{name}@1")
    assert (0, True) == (result.exit_code, result.stdout.startswith(f"{name}@1 "))
    assert "draft\n" in result.stdout
    assert " by local\n" in result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_json_is_what_the_gateway_answers(pinion, registered, tmp_path, kind):
    """Of every command."""
    name = registered(kind, f"json-{kind}")
    again = json.loads(pinion(kind, "register", *written(tmp_path, kind, name), "--json").stdout)
    assert [("1", 1), ("2", 1)] == [(each["version"], each["revision"]) for each in again["registered"]]
    assert name in {each["name"] for each in json.loads(pinion(kind, "list", "--json").stdout)["versions"]}
    assert "content" in json.loads(pinion(kind, "show", f"{name}@1", "--json").stdout)
    compared = json.loads(pinion(kind, "diff", f"{name}@1", "2", "--json").stdout)
    assert (False, 2) == (compared["same"], len(compared["versions"]))
    assert {"dependents": []} == json.loads(pinion(kind, "dependents", f"{name}@1", "--json").stdout)
    assert "retired" == json.loads(pinion(kind, "retire", f"{name}@1", "--json").stdout)["lifecycle"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_versions_are_compared(pinion, registered, kind):
    """The exit code says whether their content differs, as that of diff does."""
    name = registered(kind, f"compared-{kind}")
    result = pinion(kind, "diff", f"{name}@1", f"{name}@2")
    assert (1, True) == (result.exit_code, f"{name}@2" in result.stdout)
    result = pinion(kind, "diff", f"{name}@1", "1")
    assert (0, f"{name}@1 and {name}@1 have the same content\n") == (result.exit_code, result.stdout)


def test_models_are_found_by_use_case(pinion, registered):
    """Any part of it, in small or capital letters."""
    name = registered("model", "useful")
    out = pinion("model", "list", "--use-case", "USEFUL SUP").stdout
    assert (True, False) == (f"{name}@1" in out, "gpt-4o" in out)


@pytest.mark.parametrize("kind", KINDS)
def test_versions_are_searched(pinion, registered, kind):
    """With where the text was found; exit code 1, and it is said, where it stands nowhere."""
    name = registered(kind, f"sought-{kind}")
    result = pinion(kind, "search", f"SOUGHT-{kind}")
    assert (0, True, False) == (result.exit_code, f"{name}@1" in result.stdout, "gpt-4o" in result.stdout)
    assert " name" in result.stdout
    assert {name} == {each["name"] for each in json.loads(pinion(kind, "search", name, "--json").stdout)["versions"]}
    result = pinion(kind, "search", "dragons")
    assert (1, f"no {kind} says 'dragons'; pinion {kind} list tells all of them\n") == (result.exit_code, result.stdout)
    assert {"versions": []} == json.loads(pinion(kind, "search", "dragons", "--json").stdout)
    assert 2 == pinion(kind, "search", " ").exit_code


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_comes_to_its_end(pinion, registered, kind):
    """Deprecated with a day and a successor, retired, revoked: each one line, with the reason."""
    name = registered(kind, f"ended-{kind}")
    end = ("--on", "2099-03-01", "--successor", "2", "--reason", "a better one")
    result = pinion(kind, "deprecate", f"{name}@1", *end)
    assert 0 == result.exit_code, result.stderr
    assert result.stdout.endswith(": draft, deprecated until 2099-03-01 00:00:00 UTC, then 2; a better one\n")
    assert pinion(kind, "retire", f"{name}@1").stdout.endswith(": draft, retired, then 2; retired by local\n")
    refused = pinion(kind, "retire", f"{name}@1")
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert f"{kind} {name}@1 is retired and does not take retire; publish another version" in refused.stderr
    assert pinion(kind, "revoke", f"{name}@2", "--reason", "it leaks").stdout.endswith(": revoked; it leaks\n")


def test_a_successor_may_be_named_in_full(pinion, registered):
    """As people copy it from a list."""
    name = registered("model", "in-full")
    told = json.loads(pinion("model", "deprecate", f"{name}@1", "--successor", f"{name}@2", "--json").stdout)
    assert "2" == told["successor"]


@pytest.mark.parametrize("on", ["90d", "2099-03-01T12:00:00+01:00"])
def test_an_end_may_be_a_time_or_how_far_off_it_is(pinion, registered, on):
    """With its own zone, or UTC."""
    name = registered("model", f"off-{on[:4]}")
    told = json.loads(pinion("model", "deprecate", f"{name}@1", "--on", on, "--json").stdout)
    assert told["retire_at"] > told["deprecated_at"]
    if on != "90d":
        assert 4_076_046_000.0 == told["retire_at"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("show", "atlas"), "'atlas' names no version; write NAME@VERSION"),
        (("show", "@1"), "names no version"),
        (("diff", "a@1", "@"), "names no version"),
        (("deprecate", "a@1", "--on", "soon"), "'soon' is no time; write 24h, 2026-11-20 or 2026-11-20T08:00"),
        (("deprecate", "a@1", "--successor", "b@2"), "'b@2' is of another name; a successor of a has it too"),
        (("register", "nowhere.yaml"), "does not exist"),
        (("register",), "Missing argument"),
    ],
)
def test_what_means_nothing_is_misuse(pinion, args, said):
    """Exit code 2, with what to write."""
    result = pinion("model", *args)
    assert 2 == result.exit_code
    assert said in result.stderr


def test_a_version_that_is_not_there_is_a_no(pinion):
    """Exit code 1, with the nearest name."""
    result = pinion("model", "show", "gpt-4o@2024-08-07")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "there is no model gpt-4o@2024-08-07; did you mean" in result.stderr


def test_what_serves_is_not_retired(pinion):
    """Exit code 1, with the routes that it serves."""
    result = pinion("model", "retire", "gpt-4o@2024-08-06")
    assert 1 == result.exit_code
    assert "steady (stable)" in result.stderr


def test_files_that_are_not_acceptable_are_a_no(pinion, tmp_path):
    """Exit code 1, with each problem; and a file that is no text is misuse."""
    (tmp_path / "a.yaml").write_text("kind: model\nname: m\n")
    result = pinion("model", "register", str(tmp_path / "a.yaml"))
    assert 1 == result.exit_code
    assert "a.yaml:1" in result.stderr
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    result = pinion("model", "register", str(tmp_path / "b.yaml"))
    assert (True, True) == (result.exit_code != 0, "it is no UTF-8 text" in result.stderr)


def test_a_release_is_named_by_its_route():
    """Behind a slash."""
    named = VersionArgument("release")
    assert ("desk", "1.0.0") == named.convert("desk/1.0.0", None, None)
    with pytest.raises(click.BadParameter, match="write NAME/VERSION"):
        named.convert("desk@1.0.0", None, None)
