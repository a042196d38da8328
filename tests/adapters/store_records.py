"""A sample of everything that the store records."""

from gateway.core.admission import Admission, Excepted, Governance
from gateway.core.api_key import IssuedKey
from gateway.core.approval import Approval, Request, SignOff
from gateway.core.approval_policy import ApprovalPolicy, Emergency, Gate
from gateway.core.lifecycle import Lifecycle
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.recorded import ArmOut, ExperimentStart, Recorded, ServedVersion
from gateway.core.review import Review
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import Former, RouteRecord
from gateway.core.standing import Standing

ROLLOUT = Rollout(
    id="r1",
    route="support",
    stable="1.0.0",
    candidate="1.1.0",
    attempt=2,
    state=RolloutState.held,
    step=1,
    plan=Plan(
        "careful",
        (
            Step(shadow_ppm=100_000, hold=60.0),
            Step(percent_ppm=10_000, guardrails=(Criterion("error_rate", max=0.02),)),
        ),
        signals=(Criterion("cost_per_request", max_ratio=1.1),),
    ),
    reason="no data \u2713",
    actor="judge",
    evidence={"of": [3, 0.5, None]},
    started_at=1.5,
    updated_at=2.5,
    entered_at=2.0,
    holds=("no_data", "sample_ratio"),
)

STANDING = Standing(
    kind="model",
    name="gpt-4o",
    version="2024-08-06",
    digest="d1",
    facts_digest="f1",
    registered_at=1.0,
    author="ada",
    review=Review.approved,
    lifecycle=Lifecycle.deprecated,
    changed_at=5.0,
    reason="a better one \u2713",
    deprecated_at=5.0,
    retire_at=6.5,
    successor="2024-11-20",
    revision=3,
)

POLICY = ApprovalPolicy(
    "production",
    {"risk": 1},
    environments=frozenset({"production"}),
    max_age=90.0,
    gates=(Gate("rollback_plan"), Gate("evaluation", "safety", "refusals", min=0.8)),
    emergency=Emergency(frozenset({"operator"}), 60.0),
)
"""An approval policy with something of everything."""

EXCEPTION = Excepted(
    "x1", "production", "sales", "2.0.0", "d2", "ada", "a trial", 0.5, 9.0, is_emergency=True, review_by=3.0
)
"""An emergency."""

GOVERNANCE = Governance(
    policies=(POLICY,),
    requests=(
        Request(
            id="q1",
            kind="release",
            environment="production",
            name="support",
            version="1.1.0",
            digest="d1",
            parts={"release": "r1", "card": None},
            policy=POLICY,
            requester="ada",
            requested_at=1.0,
            deadline=2.0,
            excluded=frozenset({"grace"}),
            identified="sha256:0a",
            reason="better \u2713",
            rollback_plan="serve 1.0.0",
            sign_offs=(SignOff("eve", "risk", "d1", 1.5, "read it", "sha256:0e"),),
            revision=2,
        ),
    ),
    approvals=(Approval("q0", "release", "production", "support", "1.0.0", "d0", 0.5, 9.0),),
    exceptions=(EXCEPTION,),
    admissions=(
        Admission(
            "production", "support", "1.0.0", "d0", "b0", 0.6, approval_id="q0", policies=frozenset({"production"})
        ),
        Admission("production", "sales", "1.0.0", "d3", "b3", 0.7, ungoverned=True),
    ),
)
"""Something of everything that is held of approvals."""

RECORDED = Recorded(
    epoch=7,
    routes={
        "support": RouteRecord(
            route="support",
            stable="1.0.0",
            serve_line="1.1.0",
            rollout=ROLLOUT,
            attempts={("1.0.0", "1.1.0"): 2, ("0.9.0", "1.0.0"): 1},
            out={"0.8.0": "rolled back: breaker"},
            former=(Former("0.9.0", 1.0), Former("0.7.0", 0.5)),
            revision=4,
        ),
        "sales": RouteRecord("sales", "2.0.0", "2.0.0"),
    },
    experiments=(ExperimentStart("sales", "length", 3.0, (("short", "1.0.0", 400_000), ("long", "1.1.0", 600_000))),),
    arms_out=(ArmOut("sales", "length", "1.1.0", "breaker", 4.0, {"failed": 3}),),
    served=(ServedVersion("model", "gpt-4o", "2024-08-06", "d1"), ServedVersion("prompt", "greeting", "1", "d2")),
    keys=(
        IssuedKey("k1", "app", "helpdesk", "ab" * 32, 1.0, "ada", 9.0, None, None, "k2"),
        IssuedKey("k2", "operator", "bob", "cd" * 32, 2.0, "ada", None, 3.0, "eve"),
    ),
    standings=(STANDING, Standing("prompt", "greeting", "1", "d2", "f2", 2.0)),
    governance=GOVERNANCE,
    replicas=3,
)
