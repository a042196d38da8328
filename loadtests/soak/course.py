"""The course of a soak: a small load, a long one with faults, all gone again, a second one, and the account."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loadtests.soak.findings import Findings, Load, Replaced
from loadtests.soak.lab import Failed, Lab, until
from loadtests.soak.plan import Pace, acts
from loadtests.soak.reconciliation import reconcile
from loadtests.soak.requests_file import read
from loadtests.soak.workers import Unreadable, WorkerView, exactly, kinds_of_descriptors, started_workers

STEADY_LOOKS = 4
"""Looks in a row that see the same before it is called a baseline."""

STEADY_SECONDS = 0.5

RELOAD_SECONDS = 60.0

Say = Callable[[str, float], None]
"""Is told what goes on, and how many seconds of the soak are over."""


class Course:
    """One soak on a lab that runs."""

    def __init__(self, lab: Lab, found: Findings, say: Say) -> None:
        self._lab, self._found, self._say = lab, found, say
        self._plan = lab.plan
        self._began = time.monotonic()
        self._views: list[WorkerView] = []

    def run(self) -> None:
        """Go the whole way; the findings have all of it then.

        Raises:
            Failed: a process does not do its part.
            Unreadable: what the workers hold cannot be seen.
        """
        lab, found, plan = self._lab, self._found, self._plan
        self._meet_workers()
        self._warm(plan.warm_pace)
        found.baseline = self._steady()
        self._load(plan.first)
        self._drain()
        found.drained.append(self._back_at(found.baseline))
        if plan.second:
            self._load(plan.second)
            found.reloads = self._reloads()
            self._replace()
            self._drain()
        else:
            found.reloads = self._reloads()
        self._close(lab, found)

    # Loads

    def _warm(self, pace: Pace) -> None:
        """Have everything happen once, so that what is only made when it is first needed is there."""
        self._tell("a small load, and each fault once")
        self._lab.generator.load(pace)
        for name in ("reload", "redis begins", "redis ends", "postgres begins", "postgres ends", "resets begins"):
            self._act(name)
            time.sleep(self._plan.warm / 6)
        self._act("resets ends")
        self._drain()

    def _load(self, seconds: float) -> None:
        """Load for so many seconds, with faults, and look at the workers meanwhile."""
        load = Load(time.monotonic(), seconds)
        self._found.loads.append(load)
        self._lab.generator.load(self._plan.pace)
        due = list(acts(seconds, self._plan))
        next_look = load.began
        while (now := time.monotonic()) < load.began + seconds:
            if due and now >= load.began + due[0][0]:
                _, name = due.pop(0)
                load.acts.append((now - load.began, name))
                self._act(name)
            elif now >= next_look:
                next_look = now + self._plan.sample
                self._look(load)
            else:
                time.sleep(0.02)
        for _, name in due:  # what has begun ends, however late the machine is
            if name.endswith(" ends"):
                self._act(name)

    def _look(self, load: Load) -> None:
        looks = [view.look() for view in self._views]
        load.looks += looks
        told = self._lab.generator.told
        memory = ", ".join(f"{look.rss_kb / 1024:.0f} MB" for look in looks)
        lag = max(look.lag for look in looks) * 1000
        words = (
            f"load {len(self._found.loads)}: {told.get('streams', 0):,} streams, {told.get('sent', 0):,} requests sent"
        )
        self._tell(f"{words}, workers {memory}, lag {lag:.0f} ms")
        if self._lab.gateway.poll() is not None:
            raise Failed(f"the gateway ended with {self._lab.gateway.poll()}; see {self._lab.log}")

    def _act(self, name: str) -> None:
        """Reload, or have a fault begin or end."""
        lab = self._lab
        match name:
            case "reload":
                lab.reload()
            case "redis begins":
                lab.redis.freeze()
            case "redis ends":
                lab.redis.thaw()
            case "postgres begins":
                lab.postgres.shut_down()
            case "postgres ends":
                lab.postgres.start()
            case _:
                lab.generator.say(resets=name == "resets begins")

    def _drain(self) -> None:
        """Start nothing more, and wait until every stream has come to its end."""
        self._tell("waiting for the streams to end")
        generator = self._lab.generator
        generator.load(None)
        heard = generator.number
        until(lambda: generator.number >= heard + 2, 60, "the generator says something")
        until(generator.drained, self._plan.pace.longest * 2 + 60, "all requests end")

    # What is held

    def _meet_workers(self) -> None:
        for view in self._views:
            view.close()
        self._views = [WorkerView(*one, self._lab.redis.port) for one in started_workers(self._lab.log)]
        if len(self._views) != self._plan.workers:
            raise Unreadable(f"{len(self._views)} workers are told of in {self._lab.log}")

    def _held(self) -> Sequence[Mapping[str, int]]:
        return [view.held() for view in self._views]

    def _steady(self) -> Sequence[Mapping[str, int]]:
        """Give what the workers hold once it is the same in several looks, and nothing is under way."""
        self._tell("waiting for what is left to go")
        same: list[Sequence[Mapping[str, int]]] = []
        end = time.monotonic() + self._plan.settle
        while len(same) < STEADY_LOOKS and time.monotonic() < end:
            held = self._held()
            at_rest = not any(each["requests"] + each["busy"] + each["idle"] for each in held)
            same = [*same, held] if at_rest and all(exactly(held) == exactly(each) for each in same) else []
            time.sleep(STEADY_SECONDS)
        return self._held()

    def _back_at(self, baseline: Sequence[Mapping[str, int]]) -> Sequence[Mapping[str, int]]:
        """Give what the workers hold as soon as that is the baseline, or when it has had time enough to be."""
        self._tell("waiting for what is left to go")
        end = time.monotonic() + self._plan.settle
        while exactly(held := self._held()) != exactly(baseline) and time.monotonic() < end:
            time.sleep(STEADY_SECONDS)
        if exactly(held) != exactly(baseline):
            self._found.surplus += [
                f"worker {one.worker}: {dict(kinds_of_descriptors(one.pid))}" for one in self._views
            ]
        return held

    # The end

    def _reloads(self) -> tuple[int, int]:
        """Count the reloads that were taken and those that were not, once all have been noticed."""
        names = [f'pinion_policy_reloads_total{{result="{result}"}}' for result in ("accepted", "rejected")]
        self._found.written = (1 + self._lab.version) * self._plan.workers  # the first policies count, too

        def counted() -> tuple[int, int]:
            accepted, rejected = (sum(int(view.counter(name)) for view in self._views) for name in names)
            return accepted, rejected

        end = time.monotonic() + RELOAD_SECONDS
        while (found := counted())[0] < self._found.written and time.monotonic() < end:
            time.sleep(STEADY_SECONDS)
        return found

    def _replace(self) -> None:
        """Have every worker replaced while streams are under way."""
        self._tell("replacing the workers under load")
        before, began = {view.pid for view in self._views}, time.monotonic()
        allowed = self._plan.workers * self._plan.drain_grace + 60
        self._lab.gateway.send_signal(signal.SIGUSR2)
        while time.monotonic() < began + allowed and not _said(self._lab.log, '"workers_replaced"'):
            time.sleep(STEADY_SECONDS)
        seconds = time.monotonic() - began
        self._meet_workers()
        new = sum(view.pid not in before for view in self._views)
        self._found.replaced = Replaced(new, seconds, allowed)

    def _close(self, lab: Lab, found: Findings) -> None:
        """Have the trail verified, end the gateway, and hold the two accounts against each other."""
        self._tell("verifying the audit trail, and reconciling the ledger")
        found.audit = lab.audit()
        for view in self._views:
            view.close()
        found.exit_code = lab.end_gateway()
        sent = lab.generator.told["sent"]
        found.touches, found.lag = lab.generator.told["touches"], list(lab.generator.lag)
        lab.end_generator()
        found.ended = list(read(lab.requests))
        found.account = reconcile(found.ended, sent, lab.ledger())

    def _tell(self, what: str) -> None:
        self._say(what, time.monotonic() - self._began)


def _said(log: Path, word: str) -> bool:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return any(word in line for line in lines)
