"""Thousands of slow clients beside ordinary ones: what the ordinary ones notice of them.

    .venv/bin/python -m loadtests.slow_clients --slow 2000 --rounds 5

Starts a simulated provider and a gateway on loopback, and asks it at an even pace: round by round without slow clients,
and with them. Half of those say nothing, half send a byte of a head every second; whoever is hung up on connects again.
They live in a process of their own. Prints the percentiles of both, and exits 1 when a request fails or the p99 with
them is more than 10 % longer.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time

from loadtests.streams import gateway_before, started

DRIP_SECONDS = 1.0
LATE = 1.1
BODY = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "hi"}]}).encode()
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: load\r\nauthorization: Bearer load\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


async def slow(port: int, number: int) -> None:
    """Be one slow client, again and again."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if number % 2:
                writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ")
                while not reader.at_eof():
                    writer.write(b"a")
                    await asyncio.sleep(DRIP_SECONDS)
            await reader.read()
            writer.close()
        except OSError:
            await asyncio.sleep(DRIP_SECONDS)


async def crowd(port: int, count: int) -> None:
    """Be many of them, and say so once each has begun."""
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(slow(port, number)))
        await asyncio.sleep(0.001)
    print("begun", flush=True)
    await asyncio.gather(*tasks)


async def ask(idle: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]", due: float) -> float | None:
    """Ask once, and give the seconds from when that was due; None where it failed."""
    reader, writer = await idle.get()
    try:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError, IndexError):
        return None
    idle.put_nowait((reader, writer))
    return time.perf_counter() - due if b" 200 " in head.split(b"\r\n", 1)[0] else None


async def measured(port: int, per_second: int, seconds: float) -> list[float | None]:
    """Ask at an even pace, whether or not earlier requests are answered; give how long each took."""
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(32):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    began, asked = time.perf_counter(), []
    for number in range(int(per_second * seconds)):
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(ask(idle, due)))
    answered = await asyncio.gather(*asked)
    while not idle.empty():
        idle.get_nowait()[1].close()
    return answered


async def compared(port: int, wanted: argparse.Namespace) -> dict[str, list[float | None]]:
    """Measure without slow clients and with them, in turns."""
    found: dict[str, list[float | None]] = {"without": [], "with": []}
    await measured(port, wanted.per_second, 2)
    for _ in range(wanted.rounds):
        found["without"] += await measured(port, wanted.per_second, wanted.seconds)
        command = (sys.executable, "-m", "loadtests.slow_clients", "--port", str(port), "--slow", str(wanted.slow))
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        if process.stdout is None:
            raise RuntimeError("no output to read")
        await process.stdout.readline()
        found["with"] += await measured(port, wanted.per_second, wanted.seconds)
        process.kill()
        await process.wait()
    return found


def told(name: str, seconds: list[float | None]) -> float:
    """Print percentiles in ms, and give the p99."""
    whole = sorted(each * 1000 for each in seconds if each is not None)
    p50, p99 = (whole[int(len(whole) * part)] for part in (0.5, 0.99))
    print(f"{name:>8}: {len(whole)} answers, {len(seconds) - len(whole)} failed; p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    return p99


def main() -> int:
    """Run once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of a round")
    parser.add_argument("--per-second", type=int, default=100)
    parser.add_argument("--port", type=int, help="be the slow clients of this port, until killed")
    wanted = parser.parse_args()
    if wanted.port is not None:
        asyncio.run(crowd(wanted.port, wanted.slow))
    with (
        tempfile.TemporaryDirectory() as folder,
        started("simulator", "--port", "0", cwd=folder) as (_, ready),
        gateway_before(ready, folder) as (_, port),
    ):
        found = asyncio.run(compared(port, wanted))
    without, beside = (told(name, seconds) for name, seconds in found.items())
    return 0 if None not in found["without"] + found["with"] and beside <= without * LATE else 1


if __name__ == "__main__":
    sys.exit(main())
