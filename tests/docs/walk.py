"""Walks through a page as its reader would: writes its files, runs its commands, and holds their output against it.

In the page, before a fenced block:

    <!-- file: NAME -->     the block is that file
    <!-- background -->     the console block's commands go on running until the walk's end; one that says "ready" is
                            waited for
    <!-- skip -->           the block is only shown

`<!-- sample policies -->` in a page says that its reader is where the sample set, `policies/`, is.

Every other `console` block is run, each `$ ` line with what follows it as its output. In a shown output `...` alone on
a line stands for any lines, and at a line's end for the rest of it; numbers, ids and times may differ. The usual ports
become free ones.

`python -m tests.docs.walk PAGE` writes the output that the commands really gave into the page.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.gateway_process import inherited

BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file: \S+|background|skip) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
PORTS = ("9000", "8080", "8081")
WILD = re.compile(r"(?<![^\W_])[0-9a-f]{10,}\b|(?:over 10\^)?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
"""What differs from run to run: numbers, times, digests."""

SAMPLES = "<!-- sample policies -->"
POLICIES = Path(__file__).parents[2] / "policies"
READY_SECONDS = 60.0
COMMAND_SECONDS = 60.0
PINION = Path(sys.executable).with_name("pinion")


@dataclass
class Step:
    """One command of a page with the output shown, or one file; `at` is where the output stands in the page."""

    kind: str
    text: str
    shown: str = ""
    at: tuple[int, int] = (0, 0)


@dataclass
class Walk:
    """One walk in a folder of its own. `lived` are the outputs that commands gave, in the order of the steps."""

    folder: Path
    ports: dict[str, str] = field(default_factory=lambda: {port: free_port() for port in PORTS})
    running: list[subprocess.Popen] = field(default_factory=list)

    def take(self, samples: Path) -> None:
        """Have a folder beside the reader, as it is but for the ports."""
        for path in (path for path in samples.rglob("*") if path.is_file()):
            mine = self.folder / path.relative_to(samples.parent)
            mine.parent.mkdir(parents=True, exist_ok=True)
            mine.write_text(self._own(path.read_text(encoding="utf-8")), encoding="utf-8")

    def go(self, step: Step) -> str:
        """Take a step; give its output with the page's own ports."""
        text = self._own(step.text)
        if step.kind == "file":
            name, _, content = text.partition("\n")
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            return ""
        if step.kind == "background":
            self._begin(text)
            return step.shown
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return self._theirs(done.stdout.decode().replace("\r\n", "\n"))  # the heads that curl shows

    def end(self) -> None:
        """End what still runs."""
        for process in reversed(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running:
            process.wait(timeout=READY_SECONDS)

    def _begin(self, command: str) -> None:
        log = self.folder / f"background-{len(self.running)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self._environment(),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        if "pinion" in command:
            wait_for(lambda: "ready" in log.read_text(errors="replace") or process.poll() is not None)
            assert process.poll() is None, log.read_text(errors="replace")

    def _environment(self) -> dict[str, str]:
        path = f"{PINION.parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **inherited(),
            "PATH": path,
            "PINION_PORT": self.ports["8080"],
            "PINION_ADMIN_PORT": self.ports["8081"],
            "PINION_ADMIN_URL": f"http://127.0.0.1:{self.ports['8081']}",
            "PINION_DRAIN_DELAY": "0s",
        }

    def _own(self, text: str) -> str:
        for port, own in self.ports.items():
            text = re.sub(rf"\b{port}\b", own, text)
        return text

    def _theirs(self, text: str) -> str:
        for port, own in self.ports.items():
            text = re.sub(rf"\b{own}\b", port, text)
        return text


def steps(page: str) -> Iterator[Step]:
    """Give the steps of a page in order."""
    for block in BLOCK.finditer(page):
        mark, text = block["mark"] or "", block["text"]
        if mark.startswith("file: "):
            yield Step("file", f"{mark.removeprefix('file: ')}\n{text}")
        elif block["language"] == "console" and mark != "skip":
            yield from _commands(text, block.start("text"), "background" if mark == "background" else "command")


def _commands(text: str, start: int, kind: str) -> Iterator[Step]:
    """Split a console block into commands, each with its output; a backslash goes on in the next line."""
    found = list(re.finditer(r"^\$ ((?:.*\\\n)*.*)\n", text, re.MULTILINE))
    for place, command in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(text)
        shown = text[command.end() : end]
        yield Step(kind, command[1], shown, (start + command.end(), start + end))


def fits(shown: str, given: str) -> bool:
    """Say whether an output is what the page shows, numbers and left out lines apart."""
    pieces = [re.escape(_tame(piece)) for piece in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)]
    pattern = r"(?:.*\n)*?".join(pieces).replace(re.escape("..." + "\n"), r".*\n")
    return re.fullmatch(pattern, _tame(given)) is not None


def _tame(text: str) -> str:
    return re.sub(r"[ \t─━]+", " ", re.sub(r"# m?s\b", "# s", WILD.sub("#", text)))


def walked(page: Path) -> Iterator[tuple[Step, str]]:
    """Walk through a page; give each step with the output that it gave."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        walk, text = Walk(Path(folder)), page.read_text(encoding="utf-8")
        stack.callback(walk.end)
        if SAMPLES in text:
            walk.take(POLICIES)
        for step in steps(text):
            yield step, walk.go(step)


def wait_for(condition) -> None:
    """Wait until a condition holds, looking every twentieth of a second."""
    until = time.monotonic() + READY_SECONDS
    while not condition():
        assert time.monotonic() < until, "it did not become ready"
        time.sleep(0.05)


def free_port() -> str:
    """Give a port of loopback that nobody has now."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def write_outputs(page: Path) -> None:
    """Put the real output of every command in the place of the one shown; one with `...` in it stays."""
    text = page.read_text(encoding="utf-8")
    lived = list(walked(page))
    for step, given in reversed(lived):
        if step.kind == "command" and "...\n" not in step.shown:
            text = text[: step.at[0]] + given + text[step.at[1] :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_outputs(Path(sys.argv[1]))
