"""Policy sets under approval, and what approves their releases, for tests of control."""

from gateway.control.subjects import Considered
from gateway.core.admission import Excepted, RequestMove
from gateway.core.approval import approved, opened, signed
from tests.control.serving_world import files, route
from tests.core.approval_samples import ADA, person

EVE, ENG = person("eve", "risk"), person("eng", "engineering")
SIGNING = ("kind: operator\nname: eve\nsigns_for: [risk]", "kind: operator\nname: eng\nsigns_for: [engineering]")
"""The documents that declare those two."""

OPERATOR = person("oscar", roles=["operator"])


def policy(name="prod", requires="{risk: 1}", more=""):
    """An approval policy's document; `more` are further lines of it."""
    return f"kind: approval_policy\nname: {name}\nrequires: {requires}\n{more}\n"


def governed(serve="1.0.0", *, more="", approval=None, tail=()):
    """The files of one route that approvals govern."""
    return files(route(serve=serve, more=more), policy() if approval is None else approval, *tail)


def subject_of(process, version, name="desk") -> Considered:
    """What is to be signed of a release, in the set that asks for it."""
    considered = next(process.serving.considered())
    return considered.subject(considered.policies.routes[name], version)


async def approve(process, subject, considered=None):
    """Have something approved in the store, as the service would; it is known once somebody looks."""
    store, now = process.store, process.clock.wall()
    considered = considered or next(process.serving.considered())
    if subject.kind == "release":
        asks = considered.policy_for(considered.policies.routes[subject.name])
    else:
        asks = next(each for each in process.live.state.governance.policies if each.name == subject.name)
    request = opened(subject, asks, ADA, new_id=f"q-{len(store.disk.requests)}", now=now)
    await store.record_request(RequestMove(request), ())
    await store.record_request(RequestMove(*approved(signed(request, EVE, role=None, digest=None, now=now), now)), ())
    await process.serving.follow()


async def excepted(process, subject, until, **more):
    """Have an exception recorded."""
    made = Excepted(
        "x1", subject.environment, subject.name, subject.version, subject.digest, "ada", "a trial", 0.0, until, **more
    )
    await process.store.record_exceptions([made], ())
    await process.serving.follow()


async def request(approvals, version="1.1.0", who=ADA, plan=""):
    """A request for a release."""
    return await approvals.request("desk", version, who, reason="better", rollback_plan=plan)


async def sign(approvals, who=EVE, version="1.1.0", **said):
    """A sign-off on a release."""
    return await approvals.sign("desk", version, who, **{"role": None, "digest": None, "comment": "", **said})
