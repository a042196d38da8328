"""Approvals under whatever people, files and time do, found by hypothesis."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.control.approvals import Approvals
from gateway.control.live import Live
from gateway.control.terms import Terms
from gateway.core.errors import NotPermitted, UnknownSubject, VerbRefused
from gateway.core.operator import LOCAL
from tests.control.approval_world import ENG, EVE, OPERATOR, governed, request, sign
from tests.control.serving_world import files, route, serving
from tests.core.approval_samples import ADA


class Ways(RuleBasedStateMachine):
    """Whatever people and files do: no governed release serves without an admission that stands."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = serving(files(route()), terms=Terms(anchored=True))
        self.process = self.run(self.stack.__aenter__())
        self.approvals = Approvals(self.process.live, self.process.serving.considered)
        self.run(self.process.serving.reload(governed()))

    def run(self, act):
        return self.loop.run_until_complete(act)

    def attempt(self, act) -> None:
        try:
            self.run(act)
        except (NotPermitted, VerbRefused, UnknownSubject):
            return

    versions = st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])

    @rule(version=versions, more=st.sampled_from(["", "owner: x", 'fallback: ["1.2.0"]', "risk_tier: high"]))
    def reload(self, version, more):
        """Files ask for another release, owner, fallback or tier."""
        self.run(self.process.serving.reload(governed(version, more=more)))

    @rule(version=versions)
    def drop_the_policy(self, version):
        """Files forget who governs."""
        self.run(self.process.serving.reload(files(route(serve=version))))

    @rule(version=versions, who=st.sampled_from([ADA, EVE, LOCAL]))
    def request(self, version, who):
        """Somebody asks."""
        self.attempt(request(self.approvals, version, who))

    @rule(version=versions, who=st.sampled_from([ADA, EVE, ENG]))
    def sign(self, version, who):
        """Somebody signs."""
        self.attempt(sign(self.approvals, who, version))

    @rule(version=versions)
    def grant(self, version):
        """An exception is made for a minute."""
        until = self.process.clock.wall() + 60.0
        self.attempt(self.approvals.grant("desk", version, OPERATOR, until=until, reason="x"))

    @rule(version=versions)
    def reject(self, version):
        """Somebody says no."""
        self.attempt(self.approvals.reject("desk", version, EVE, "no"))

    @rule(seconds=st.sampled_from([1.0, 30.0, 86_400.0]))
    def wait(self, seconds):
        """Time passes, and the gateway looks at what is due."""
        self.process.clock.now += seconds
        self.run(self.approvals.follow())

    @rule()
    def start_anew(self):
        """The process starts anew over the same store."""
        self.run(self.process.recording.settled(60))
        store = self.process.store
        wanted = governed(self.process.live.current.routes["desk"].stable.version)
        self.run(self.stack.__aexit__(None, None, None))
        self.stack = serving(wanted, store)
        self.process = self.run(self.stack.__aenter__())
        self.approvals = Approvals(self.process.live, self.process.serving.considered)

    @invariant()
    def nothing_serves_without_an_admission(self):
        """What is not out has one, by the store's own record."""
        live: Live = self.process.live
        governance = self.process.store.disk.recorded.governance
        assert governance.policies
        desk = live.current.routes["desk"]
        for version in desk.releases:
            if version not in desk.out:
                assert governance.admission_of(("default", "desk", version)) is not None
        for admission in governance.admissions:
            known = {each.id: each for each in governance.approvals}
            if admission.approval_id is not None:
                assert admission.digest == known[admission.approval_id].digest
            assert not (admission.ungoverned and admission.release != "1.0.0")

    def teardown(self):
        self.run(self.stack.__aexit__(None, None, None))
        self.loop.close()


TestWays = pytest.mark.untraced(Ways.TestCase)
TestWays.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
