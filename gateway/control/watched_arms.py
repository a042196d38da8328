"""Watched arms: what an experiment's arms have shown beside its control, held against the experiment's guardrails."""

from collections.abc import Collection

from gateway.control.live import Live
from gateway.control.policies import ExperimentPolicy
from gateway.control.rollouts import Rollouts
from gateway.core.assignment import arm_split
from gateway.core.evidence import Evidence, unit_of
from gateway.core.judgement import breaches, said_of
from gateway.core.observation import Side
from gateway.core.record import Record
from gateway.core.snapshot import Snapshot


class _Comparison:
    """One experiment: the evidence of each arm beside the control arm."""

    def __init__(self, policy: ExperimentPolicy, epoch: int) -> None:
        self.policy = policy
        self._epoch = epoch
        releases = {arm.name: arm.release for arm in policy.arms}
        self.control = arm_split(policy.name, policy.control)
        others = [arm for arm in policy.arms if arm.release != releases[policy.control]]
        self.arms = {
            arm_split(policy.name, arm.name): Evidence(
                policy.guardrails,
                stable=releases[policy.control],
                candidate=arm.release,
                track="arm",
                alpha=policy.alpha / (len(others) * sum(guardrail.limits for guardrail in policy.guardrails)),
            )
            for arm in others
        }
        self.releases = {arm_split(policy.name, arm.name): arm.release for arm in others}

    def is_older(self, record: Record) -> bool:
        """Say whether a request was admitted before this was watched."""
        return record.epoch < self._epoch

    def sides(self, record: Record) -> list[tuple[Evidence, Side]]:
        """Give the comparisons that a record belongs to, and its side in each."""
        if record.split is None:
            return []
        if record.split == self.control:
            return [(evidence, "stable") for evidence in self.arms.values()]
        evidence = self.arms.get(record.split)
        return [] if evidence is None else [(evidence, "candidate")]


class WatchedArms:
    """The evidence of every running experiment that has guardrails: one comparison with control for each other arm.

    It begins anew with the process, and with an experiment whose keys have changed.
    """

    def __init__(self, live: Live, rollouts: Rollouts) -> None:
        self._live = live
        self._rollouts = rollouts
        self._experiments: dict[str, _Comparison] = {}

    def __repr__(self) -> str:
        return f"<WatchedArms of {len(self._experiments)} experiments>"

    @property
    def routes(self) -> Collection[str]:
        """The routes whose requests are of interest."""
        return self._experiments.keys()

    def follow(self, snapshot: Snapshot) -> None:
        """Watch the experiments that a new snapshot serves."""
        policies = self._live.state.policies.routes
        kept: dict[str, _Comparison] = {}
        for name in snapshot.routes:
            policy = policies[name].experiment if name in policies else None
            if policy is not None and policy.guardrails and len(policy.arms) > 1:
                known = self._experiments.get(name)
                fits = known is not None and known.policy == policy
                kept[name] = known if known is not None and fits else _Comparison(policy, snapshot.epoch)
        self._experiments = kept

    def hear(self, record: Record) -> None:
        """Take a settled request."""
        experiment = self._experiments.get(record.route)
        if experiment is None or experiment.is_older(record):
            return
        for evidence, side in experiment.sides(record):
            evidence.hear(record, side)

    def hear_feedback(self, record: Record, name: str, value: float) -> None:
        """Take a number that somebody said of a settled request's answer."""
        experiment = self._experiments.get(record.route)
        for evidence, side in () if experiment is None else experiment.sides(record):
            evidence.hear_feedback(side, name, value, unit_of(record))

    def judge(self) -> None:
        """Take every arm out that breaches a guardrail."""
        for name, experiment in tuple(self._experiments.items()):
            for split, evidence in experiment.arms.items():
                evidence.look()
                found = breaches(evidence, experiment.policy.guardrails)
                if found:
                    told = {"said": said_of(found), "findings": [breach.to_json() for breach in found]}
                    self._rollouts.trip(name, experiment.releases[split], "guardrail", told)
