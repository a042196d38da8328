"""Many streams at once through one gateway process: is any lost, reordered or cut, and what does one weigh?

    .venv/bin/python loadtests/streams.py --streams 1000 --events 60 --interval 0.1

Starts a simulated provider and a gateway of its own on loopback, opens every stream, waits until all have begun, reads
the gateway's memory while they wait, then reads each to its end and compares every event with what was sent. Prints a
table, and with `--json FILE` the figures. Ends by itself; exits 1 when a stream was lost, reordered or cut.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

POLICY = """\
kind: provider
name: simulated
dialect: openai
base_url: http://127.0.0.1:{port}/v1
max_connections: 5000
timeouts: {{connect: 30s, first_byte: 120s, idle: 120s, total: 10m}}
---
kind: route
name: desk
releases: {{"1.0.0": {{model: simulated/atlas-large-2026-03-15}}}}
serve: "1.0.0"
"""


@dataclass(slots=True)
class Figures:
    """What a run found; memory in KB (1,024 bytes) of resident set."""

    streams: int
    whole: int
    cut: int
    reordered: int
    refused: int
    events: int
    idle_kb: int
    open_kb: int
    kb_per_stream: float
    seconds: float


def resident_kb(pid: int) -> int:
    """Give a process's resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


@contextlib.contextmanager
def started(*arguments: str, cwd: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a Pinion command and give it with its ready line."""
    command = [sys.executable, "-m", "gateway", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no output to read")
        yield process, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def gateway_before(simulator: str, folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a gateway with its policies in a folder, before a simulator that said where it listens; give its port."""
    Path(folder, "policies").mkdir()
    upstream = int(simulator.rsplit(":", 1)[1])
    Path(folder, "policies", "desk.yaml").write_text(POLICY.format(port=upstream), encoding="utf-8")
    options = ("serve", "--port", "0", "--admin-port", "0", "--drain-delay", "0s")
    with started(*options, cwd=folder) as (gateway, line):
        yield gateway, int(line.split("routes on http://", 1)[1].split(",", 1)[0].rsplit(":", 1)[1])


async def stream(port: int, number: int, begun: asyncio.Semaphore, go: asyncio.Event) -> str:
    """Open one stream, say when it has begun, read it to its end; give how it went."""
    body = json.dumps(
        {
            "model": "desk",
            "user": f"u{number}",
            "stream": True,
            "messages": [{"role": "user", "content": f"hi {number}"}],
        }
    ).encode()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        begun.release()
        return "refused"
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: load\r\nauthorization: Bearer load\r\n"
        b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    )
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        begun.release()
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            return "refused"
        await go.wait()
        return judged(await reader.read())
    except (asyncio.IncompleteReadError, ConnectionError):
        begun.release()
        return "cut"
    finally:
        writer.close()


def judged(chunked: bytes) -> str:
    """Say whether a chunked body holds a whole stream with its words in order."""
    body = unchunked(chunked)
    if body is None or not body.endswith(b"data: [DONE]\n\n"):
        return "cut"
    words = []
    for event in body.split(b"\n\n"):
        if event.startswith(b"data: {"):
            words += [choice["delta"].get("content") or "" for choice in json.loads(event[6:])["choices"]]
    numbers = [int(word) for word in "".join(words).split()]
    return f"whole {len(words)}" if numbers == list(range(len(numbers))) and numbers else "reordered"


def unchunked(data: bytes) -> bytes | None:
    """Undo chunked transfer coding; None when its end is missing."""
    out = []
    at = 0
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(data[at:line], 16)
        if size == 0:
            return b"".join(out)
        out.append(data[line + 2 : line + 2 + size])
        at = line + 4 + size


async def run(port: int, pid: int, streams: int) -> Figures:
    """Open every stream, weigh the gateway while all are open, then read them to their ends."""
    idle = resident_kb(pid)
    begun, go = asyncio.Semaphore(0), asyncio.Event()
    before = time.monotonic()
    tasks = [asyncio.create_task(stream(port, n, begun, go)) for n in range(streams)]
    for _ in range(streams):
        await begun.acquire()
    opened = resident_kb(pid)
    go.set()
    ends = await asyncio.gather(*tasks)
    whole = [int(end.split()[1]) for end in ends if end.startswith("whole")]
    return Figures(
        streams=streams,
        whole=len(whole),
        cut=ends.count("cut"),
        reordered=ends.count("reordered"),
        refused=ends.count("refused"),
        events=sum(whole),
        idle_kb=idle,
        open_kb=opened,
        kb_per_stream=round((opened - idle) / streams, 1),
        seconds=round(time.monotonic() - before, 1),
    )


def main() -> int:
    """Run once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between two events of a stream")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = Path(folder, "faults.json")
        answer = " ".join(str(n) for n in range(wanted.events))
        faults.write_text(json.dumps({"answer": answer, "rate": 1 / wanted.interval}), encoding="utf-8")
        with (
            started("simulator", "--port", "0", "--faults", str(faults), cwd=folder) as (_, ready),
            gateway_before(ready, folder) as (gateway, port),
        ):
            figures = asyncio.run(run(port, gateway.pid, wanted.streams))
    for name, value in asdict(figures).items():
        print(f"{name:>14}  {value}")
    if wanted.json:
        wanted.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    return 0 if figures.whole == figures.streams else 1


if __name__ == "__main__":
    sys.exit(main())
