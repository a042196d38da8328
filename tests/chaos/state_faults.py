"""What becomes of a gateway's own machine: its clock, its disk, and the policy files on it."""

import os
import resource
import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.fleet_policies import APPS_OF_ANY_ROUTE, policy_files
from tests.chaos.moved_gateway import CLOCK, set_clock
from tests.chaos.process_faults import controller_of, to
from tests.chaos.provider import Provider
from tests.chaos.rig import Replica, Rig
from tests.gateway_process import GatewayProcess, started, wait_until, write_policies

HOUR = 3600.0
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
ROOM = 64 * 1024
"""How many bytes the fullest file of a full disk may still grow by."""


def clock_moved(means: Means, found: Findings) -> None:
    """The clocks of all replicas jump an hour ahead, then one behind, then back, in the middle of a rollout's step."""
    rig = means.rig
    clocks = [replica.folder / "clock" for replica in rig.replicas]
    for index, clock in enumerate(clocks):
        set_clock(clock, 0.0)
        rig.replicas[index].gateway.stop()
        rig.start(index, program=("-m", "tests.chaos.moved_gateway", "serve"), env={CLOCK: str(clock)})
    rig.wait_healthy()
    route, out = rig.begin("move"), rig.begin("move")
    rig.act(0, "rollback", out)
    issued = rig.replicas[0].ask("POST", "apps/help/keys").json()
    rig.replicas[0].ask("POST", f"keys/{issued['key']}/revoke")
    try:
        with rig.traffic() as traffic:
            for jump in (HOUR, -HOUR, 0.0):
                for clock in clocks:
                    set_clock(clock, jump)
                traffic.flow(means.scaled(4, 2))
                _nothing_moved(rig, found, jump, route, out, issued["secret"])
            _one_is_ahead(rig, found, clocks)
        found.none_failed(traffic.ledger)
    finally:
        for index in range(rig.count):
            rig.replicas[index].gateway.stop()
            rig.start(index)


def _nothing_moved(rig: Rig, found: Findings, jump: float, route: str, out: str, revoked: str) -> None:
    """A step that lasts an hour is not over, what is out is out, a revoked key is refused, the fleet is one."""
    stages = set(rig.weights(route)), set(rig.weights(out))
    keys = {replica.chat(key=revoked).status for replica in rig.replicas}
    ill = rig.ailments()
    is_ok = (stages, keys, ill) == (({500_000}, {0}), {401}, [])
    found.note(f"{jump / HOUR:+g} h: {'nothing moved' if is_ok else (stages, keys, ill)}", ok=is_ok)


def _one_is_ahead(rig: Rig, found: Findings, clocks: list[Path]) -> None:
    """The one that leads is an hour ahead of the others, and is lost: its lease ends as any does."""
    controller = controller_of(rig)
    set_clock(clocks[controller.index], HOUR)
    time.sleep(4)  # until it has renewed its lease
    left = "select until - extract(epoch from clock_timestamp()) from leases where name = 'judging'"
    found.figure("the lease of one that is ahead lasts", float(rig.execute(left)[0][0]), 10)
    set_clock(clocks[controller.index], 0.0)


def _written(file: Path, text: str) -> None:
    """Put a whole text in the place of a file, whatever it has become."""
    beside = file.with_name(f".{file.name}")
    beside.write_text(text)
    beside.replace(file)


def _dangling(file: Path) -> None:
    """Swap a file for a symlink to nowhere, as a mounted volume is caught halfway."""
    beside = file.with_name(f".{file.name}")
    beside.symlink_to("nowhere.yaml")
    beside.replace(file)


BROKEN: Mapping[str, tuple[str, Callable[[Path, str], object]]] = {
    "half a file": ("not valid YAML", lambda file, text: file.write_text(text[: text.index("{", len(text) // 2) + 1])),
    "an empty file": ("the file declares nothing", lambda file, _: file.write_text("")),
    "remarks alone": ("the file declares nothing", lambda file, _: file.write_text("# later\n")),
    "no YAML": ("not valid YAML", lambda file, text: file.write_text(text + "\n: [")),
    "an unknown key": ("whatever", lambda file, text: file.write_text(text + "\nwhatever: 1\n")),
    "no file": ("declares no route any more", lambda file, _: file.unlink()),
    "a symlink to nowhere": ("it cannot be read", lambda file, _: _dangling(file)),
}
"""What may become of the file that holds the routes: what is said of it, and how it comes to be."""

UNREADABLE = "it cannot be read", lambda file, _: file.chmod(0)
"""Root may read everything."""


def policies_spoilt(means: Means, found: Findings) -> None:
    """The file of one replica's routes is spoilt in every way while it serves, and no application names a route."""
    rig, replica = means.rig, means.rig.replicas[1]
    apps, file = (replica.folder / "policies" / name for name in ("apps.yaml", "routes.yaml"))
    named, good = apps.read_text(), file.read_text()
    broken = {**BROKEN, **({"no right to read it": UNREADABLE} if os.geteuid() else {})}
    with rig.traffic() as traffic:
        try:
            _accepts(replica, apps, APPS_OF_ANY_ROUTE)
            for name, (said, spoil) in broken.items():
                _rejects(replica, found, name, said, partial(spoil, file, good))
                _accepts(replica, file, good)
        finally:
            _written(file, good)
        _accepts(replica, apps, named)
    found.none_failed(traffic.ledger)


def policies_older(means: Means, found: Findings) -> None:
    """A replica has the files from before a rollout: it is killed, starts with them, and takes an edit of them."""
    rig, replica = means.rig, means.rig.replicas[2]
    route, file = rig.begin("move"), replica.folder / "policies" / "routes.yaml"
    newer = file.read_text()
    named = newer.index(f"name: {route}\n")
    older = newer[:named] + newer[named:].replace('serve: "1.1.0"', 'serve: "1.0.0"', 1)
    with rig.traffic(routes=(route,), replicas=(0, 1)) as traffic:
        rig.kill(2)
        _written(file, older)
        rig.start(2)
        said = [each["problem"] for each in replica.status()["reload"]["warnings"]]
        found.note("it says that its files are older", ok=any("have gone on to 1.1.0" in each for each in said))
        _accepts(replica, file, older + "\n# an edit\n")
        traffic.flow(means.scaled(4, 2))
        stages = set(rig.weights(route))
        found.note("nobody went back", ok=stages == {500_000})
        _accepts(replica, file, newer)
    acts = rig.replicas[0].acts(route)
    found.note(f"the rollout has seen {' and '.join(acts)}", ok=acts == ["hold", "start"])
    found.none_failed(traffic.ledger)


def _accepts(replica: Replica, file: Path, text: str) -> None:
    """Give a replica another text of a file, and wait until it has taken the set."""
    before = len(replica.lines("reload_accepted"))
    _written(file, text)
    wait_until(lambda: len(replica.lines("reload_accepted")) > before)


def _rejects(replica: Replica, found: Findings, name: str, said: str, spoil: Callable[[], object]) -> None:
    """Hold that what is spoilt is said to be, and serves nobody."""
    serves = len(replica.weights())
    spoil()
    wait_until(lambda: replica.status()["reload"]["result"] == "rejected")
    problems = [each["problem"] for each in replica.status()["reload"]["problems"]]
    is_kept = len(replica.weights()) == serves and replica.chat().status == 200
    is_said = any(said in each for each in problems)
    found.note(f"{name}: {'last good' if is_said else problems}", ok=is_kept and is_said)


def disk_full(means: Means, found: Findings) -> None:
    """The disk of a gateway on SQLite is full: no file may grow any more (RLIMIT_FSIZE)."""
    with Provider(latency=0.02, length=20, rate=40) as provider:
        policies = means.folder / "policies"
        write_policies(policies, policy_files(provider.url, ["move-000"]))
        gateway = started(policies, f"sqlite:///{means.folder / 'pinion.db'}")
        try:
            with to(gateway.url) as traffic:
                _fill(gateway, found, means.folder)
            found.none_failed(traffic.ledger)
            verdict = gateway.ask("GET", "audit/verify")["result"]
            found.note(f"audit trail {verdict}", ok=verdict == "whole")
        finally:
            gateway.stop()
    _whole(means.folder, found)


def _fill(gateway: GatewayProcess, found: Findings, folder: Path) -> None:
    """Fill the disk, ask for acts, and make room again."""
    replica = Replica(0, folder, None, None)
    replica.admin_url, replica.url = gateway.admin_url, gateway.url
    size = (folder / "pinion.db").stat().st_size
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size + ROOM, resource.RLIM_INFINITY))
    answers = []
    for _ in range(400):
        answers.append(replica.ask("POST", "apps/help/keys").status)
        if answers[-1] != 200:
            break
        key = replica.ask("GET", "keys?app=help").json()["keys"][-1]["key"]
        replica.ask("POST", f"keys/{key}/revoke")
    found.note(f"an act is answered {answers[-1]} after {len(answers) - 1} that had room", ok=answers[-1] == 503)
    found.note(f"an application is answered {replica.chat().status}", ok=replica.chat().status == 200)
    found.note("stays ready", ok=replica.is_ready())
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
    began = time.monotonic()
    wait_until(lambda: replica.ask("POST", "apps/help/keys").status in (200, 409))
    found.figure("acts work again after", time.monotonic() - began, 15)


def _whole(folder: Path, found: Findings) -> None:
    """Ask SQLite itself."""
    with sqlite3.connect(folder / "pinion.db") as connection:
        said = connection.execute("pragma integrity_check").fetchone()[0]
    found.note(f"SQLite says {said}", ok=said == "ok")


FAULTS = (
    Fault(
        "clock-moved",
        "the clocks of all replicas jump an hour ahead and behind; the controller's alone is ahead",
        "0 requests fail; no step is over, nothing is revived; a lease lasts as long as any",
        clock_moved,
        runbook="a-clock-is-wrong",
    ),
    Fault(
        "policies-spoilt",
        "the file of the routes, which no application names, is half-written, empty, spoilt, gone, a dangling symlink",
        "0 requests fail; the last good set serves, and the replica says what is wrong",
        policies_spoilt,
        runbook="pinionpoliciesrejected",
    ),
    Fault(
        "policies-older",
        "a replica is killed, starts with the policy files from before a rollout, and takes an edit of them",
        "0 requests fail at the others; the rollout goes on everywhere; the replica says that its files are older",
        policies_older,
        runbook="pinionpoliciesdiffer",
    ),
    Fault(
        "disk-full",
        "the disk of a gateway on SQLite is full",
        "0 requests fail; acts are answered 503 and leave nothing half done; works again with room",
        disk_full,
        needs_fleet=False,
        runbook="a-disk-is-full",
    ),
)
