"""One whole soak in a folder, from the first process to the last."""

import resource
from datetime import UTC, datetime
from pathlib import Path

from loadtests.bench.machine import machine
from loadtests.soak.course import Course, Say
from loadtests.soak.findings import Findings
from loadtests.soak.lab import lab
from loadtests.soak.plan import Plan


def soak(folder: Path, plan: Plan, say: Say) -> Findings:
    """Start everything in an empty folder, load, and give what was found.

    Raises:
        Failed: a process does not do its part.
        Unreadable: what the workers hold cannot be seen.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = Findings(datetime.now(UTC), machine(), plan)
    say("starting PostgreSQL, Redis, the provider, the gateway and the clients", 0)
    with lab(folder, plan) as running:
        Course(running, found, say).run()
    return found
