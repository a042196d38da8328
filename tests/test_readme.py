"""The README and the map of the pages say what is true."""

import re
import shlex
from pathlib import Path

import click
import httpx2
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.control.policies import load
from gateway.simulator.server import running
from tests.gateway_process import running_gateway

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INDEX = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")
COMMAND = re.compile(r"^\$ (.*)$|`(?:\.venv/bin/)?(pinion [^`]+)`", re.MULTILINE)

ACCIDENTAL = re.compile(
    r"(?<=^date: ).*|req_\w+|chatcmpl-\w+|(?<=^openai-processing-ms: )\d+|(?<=\"created\":)\d+", re.MULTILINE
)
"""What differs from one answer to the next."""


def blocks(language):
    """The code blocks of one language."""
    return [text for found, text in BLOCK.findall(README) if found == language]


def commands():
    """Every `pinion` command line that is named, without the places where a name belongs."""
    named = (line or inline for line, inline in COMMAND.findall(README))
    return sorted({command for command in named if command.startswith("pinion ")})


@pytest.mark.parametrize("command", commands())
def test_its_commands_exist(command):
    """Every command named is one, with these subcommands and options."""
    words = shlex.split(command)[1:]
    found, context = main, click.Context(main)
    while words and isinstance(found, click.Group):
        name = words.pop(0)
        found = found.get_command(context, name)
        assert found is not None, name
    options = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    assert 0 == CliRunner().invoke(found, ["--help"]).exit_code


def test_its_make_targets_exist():
    """Every `make` target named is one."""
    named = set(re.findall(r"(?:`|^ +)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "serve"} <= named
    assert named <= set(re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize(("folder", "text"), [(ROOT, README), (ROOT / "docs", INDEX)], ids=["README", "index"])
def test_links_lead_somewhere(folder, text):
    """Every file linked to exists."""
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    assert targets
    assert [] == [target for target in targets if not (folder / target).exists()]


def test_every_page_is_on_the_map():
    """A page of docs/ is found from its index."""
    assert set() == {page.name for page in (ROOT / "docs").glob("*.md")} - set(LINK.findall(INDEX)) - {"index.md"}


def test_its_policies_are_acceptable():
    """Each YAML block is a policy set without a problem or a warning."""
    assert blocks("yaml")
    for text in blocks("yaml"):
        assert () == load({"readme.yaml": text}).warnings


def test_its_python_compiles():
    """Each Python block is whole."""
    assert blocks("python")
    for text in blocks("python"):
        compile(text, "README.md", "exec")


def test_it_is_short():
    """A new user reads all of it."""
    assert len(README.splitlines()) < 150


def test_its_curl_gets_the_answer_that_it_shows(tmp_path):
    """The sample policies before the simulator answer as shown, but for ids and times; the rollout goes as told."""
    command, shown = next(text for text in blocks("console") if text.startswith("$ curl")).split("\n", 1)
    sample = ROOT / "policies"
    with running() as sim:
        files = {
            str(path.relative_to(sample)): path.read_text(encoding="utf-8").replace("http://127.0.0.1:9000", sim.url)
            for path in sample.rglob("*.*")
        }
        with running_gateway(tmp_path, files, simulator=sim) as gateway:
            answer = curled(command.replace("http://127.0.0.1:8080", gateway.url))
            assert masked(shown) == masked(answer)
            assert ("shadow", 1, 0) == standing(gateway.act("start", "support-assistant"))
            assert ("running", 2, 10_000) == standing(gateway.act("promote", "support-assistant"))


def curled(command):
    """What `curl -i` prints, for a machine that has none: the head and the body of the answer."""
    _, curl, shows_head, url, *options = shlex.split(command)
    assert ("curl", "-i") == (curl, shows_head)
    given = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ") for option, value in given if option == "-H")
    (body,) = (value for option, value in given if option == "-d")
    headers["accept-encoding"] = "identity"
    answer = httpx2.post(url, headers=headers, content=body, trust_env=False)
    head = [f"{answer.http_version} {answer.status_code} {answer.reason_phrase}"]
    head += [f"{name.decode()}: {value.decode()}" for name, value in answer.headers.raw]
    return "\n".join([*head, "", answer.text])


def standing(rollout):
    """Where a rollout stands: its state, step and weight."""
    return rollout["state"], rollout["step"], rollout["weight_ppm"]


def masked(answer):
    """An answer without what differs from one to the next."""
    return ACCIDENTAL.sub("*", answer).strip()
