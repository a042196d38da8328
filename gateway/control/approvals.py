"""Approvals: what is asked, signed, rejected and excepted by persons, and what time and change make of requests.

The one choke point of sign-offs: commands, the API and whatever else comes pass through here, and the constraints of
the store behind it hold the same law.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.control.live import Live
from gateway.control.requestable import Requestable, Reviewed, why_changed
from gateway.control.subjects import Considered
from gateway.core import approval as rules
from gateway.core.admission import Excepted, ExceptionKind, RequestMove
from gateway.core.approval import REVIEWS, Request, SignOff, Subject, why_no_person
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.audit import BY_GATEWAY, ITSELF, By, Origin
from gateway.core.audit_acts import act_of_exception, acts_of_request
from gateway.core.errors import NotPermitted, Overtaken, StoreFault, UnknownSubject, VerbRefused
from gateway.core.operator import Operator
from gateway.core.review import Review
from gateway.core.route_record import GATEWAY
from gateway.core.standing import Standing, review

EMERGENCY_SECONDS = 30 * 86_400.0
"""How long an emergency admits at most; its review is due long before."""

MAX_EXCEPTION_SECONDS = 366 * 86_400.0
TOLD_SECONDS = 60.0
"""How often an emergency is told of whose review is overdue."""

Act = Callable[[Request, float], Request]


class Approvals:
    """What is requested and decided. Each verb raises StoreFault where the store cannot be read or written."""

    def __init__(self, live: Live, considered: Callable[[], Iterator[Considered]]) -> None:
        """`considered` gives the policy sets that requests may be about, the one that waits for approvals first."""
        self._live = live
        self._requestable = Requestable(live, considered)
        self._matched: set[str] = set()
        self._vouched: set[tuple[str, str]] = set()
        self._told: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Approvals {len(self._live.state.governance.requests)} open>"

    @property
    def open(self) -> Sequence[Request]:
        """The open requests of this environment."""
        mine = self._live.terms.environment
        return [each for each in self._live.state.governance.requests if each.environment == mine]

    @property
    def exceptions(self) -> Sequence[Excepted]:
        """The exceptions of this environment that last."""
        return self._live.state.governance.lasting(self._live.terms.environment, self.now)

    def counted(self) -> Mapping[ExceptionKind, int]:
        """Count the exceptions that last, by what they are now."""
        now = self.now
        return Counter(each.kind(now) for each in self.exceptions)

    @property
    def now(self) -> float:
        """The wall time."""
        return self._live.world.clock.wall()

    def knows(self, name: str, version: str | None) -> bool:
        """Say whether there is such a release, or without a version such an approval policy."""
        state = self._live.state
        if version is None:
            requested = {each.name for each in self.open if each.kind == "approval_policy"}
            return name in requested | {each.name for each in state.governance.policies}
        return (name, version) in state.releases or ("release", name, version) in state.standings

    async def past(self, name: str | None, limit: int) -> Sequence[Request]:
        """Give the newest requests, of one route or approval policy or of all, the newest first."""
        return await self._live.world.store.requests(self._live.terms.environment, name, limit)

    def reviewed(self, route: str, version: str) -> Reviewed:
        """Give everything that a reviewer needs of a release.

        Raises:
            UnknownSubject: there is no such release.
        """
        considered, subject = self._requestable.release(route, version)
        policy = considered.policy_for(considered.policies.routes[route])
        request = self._live.state.governance.open_request(subject.place)
        plan = "" if request is None else request.rollback_plan
        record = self._live.state.records.get(route)
        why_not = self._live.standings.why_out(considered.releases[route, version])
        gates = tuple(self._requestable.gates(considered, subject, policy, plan))
        return Reviewed(subject, policy, gates, request, None if record is None else record.stable, why_not)

    async def request(
        self, route: str, version: str, who: Operator, *, reason: str, rollback_plan: str, origin: Origin = BY_GATEWAY
    ) -> Request:
        """Ask for the approval of a release.

        Raises:
            UnknownSubject: there is no such release.
            NotPermitted: `who` is no identified person.
            VerbRefused: nothing governs it, it is rejected or revoked, or a request for it is open.
        """

        def wanted() -> tuple[Subject, ApprovalPolicy]:
            considered, subject = self._requestable.release(route, version)
            policy = considered.policy_for(considered.policies.routes[route])
            if policy is None:
                raise VerbRefused(
                    f"no approval policy governs {subject} in {subject.environment}; it serves without one"
                )
            return considered.with_authors(subject), policy

        return await self._ask(wanted, who, reason, rollback_plan, origin)

    async def request_policy(self, name: str, who: Operator, *, reason: str, origin: Origin = BY_GATEWAY) -> Request:
        """Ask for the approval of a change of an approval policy, which a refused set would make.

        Raises:
            UnknownSubject: no set that was read would change a policy of this name.
        """

        def wanted() -> tuple[Subject, ApprovalPolicy]:
            subject = next((each for _, each in self._requestable.changes() if each.name == name), None)
            if subject is None:
                raise UnknownSubject(
                    f"no policy set that was read would change approval policy {name[:100]!r}; reload it first"
                )
            return subject, next(each for each in self._live.state.governance.policies if each.name == name)

        return await self._ask(wanted, who, reason, "", origin)

    async def sign(
        self,
        name: str,
        version: str | None,
        who: Operator,
        *,
        role: str | None,
        digest: str | None,
        comment: str,
        origin: Origin = BY_GATEWAY,
    ) -> Request:
        """Sign the open request for a release, or without a version for a change of an approval policy.

        With the last sign-off it is approved, in the same transaction. Of two who come at once both count.

        Raises:
            NotPermitted: they may not sign it.
            VerbRefused: it is not what was requested any more, a gate does not hold, or it is past its deadline.
        """
        by = By(who.name, origin)

        def signed(request: Request, now: float) -> Request:
            return rules.signed(request, who, role=role, digest=digest, now=now, comment=comment)

        for _ in range(2):
            try:
                return await self._sign(name, version, signed, by)
            except Overtaken:
                await self._live.look_again()
        return await self._sign(name, version, signed, by)

    async def reject(
        self, name: str, version: str | None, who: Operator, reason: str, origin: Origin = BY_GATEWAY
    ) -> Request:
        """Reject what is requested. A release that is not approved elsewhere may never serve then.

        Raises:
            NotPermitted: they could not sign it either.
            UnknownSubject: nothing is requested of it.
        """

        def act(request: Request, now: float) -> Request:
            why = request.why_not_signed_by(who)
            if why is not None and not any(each.person == who.name for each in request.sign_offs):
                raise NotPermitted(why)
            return rules.ended(request, "reject", who.name, reason, now)

        return await self._end(name, version, "reject", act, By(who.name, origin))

    async def withdraw(
        self, name: str, version: str | None, who: Operator, reason: str, origin: Origin = BY_GATEWAY
    ) -> Request:
        """Withdraw a request; its release may be requested anew.

        Raises:
            UnknownSubject: nothing is requested of it.
        """

        def act(request: Request, now: float) -> Request:
            return rules.ended(request, "withdraw", who.name, reason, now)

        return await self._end(name, version, "withdraw", act, By(who.name, origin))

    async def grant(
        self, route: str, version: str, who: Operator, *, until: float, reason: str, origin: Origin = BY_GATEWAY
    ) -> Excepted:
        """Let a release serve until a wall time without an approval, on somebody's own word.

        Raises:
            NotPermitted: `who` is no identified person.
            VerbRefused: nothing governs it, it is rejected or revoked, or that time cannot be.
        """
        if not self.now < until <= self.now + MAX_EXCEPTION_SECONDS:
            raise VerbRefused("an exception ends after now, and within a year; name such a time")
        return await self._except(route, version, who, reason, origin, lambda _now, _policy: (until, None))

    async def emergency(
        self, route: str, version: str, who: Operator, *, reason: str, origin: Origin = BY_GATEWAY
    ) -> Excepted:
        """Let a release serve at once, to be reviewed within the time that its policy gives.

        Raises:
            NotPermitted: `who` is no identified person, or has no role that its policy lets.
        """

        def terms(now: float, policy: ApprovalPolicy) -> tuple[float, float | None]:
            known = policy.emergency
            if known is None:
                raise NotPermitted(f"approval policy {policy.name} knows no emergency")
            if not who.roles & known.roles:
                raise NotPermitted(f"an emergency is for {', '.join(sorted(known.roles))}, and {who.name} is none")
            return now + EMERGENCY_SECONDS, now + known.review_within

        made = await self._except(route, version, who, reason, origin, terms)
        self._tell("emergency", "error", made, reason=reason, owner=who.name, review_by=made.review_by)
        return made

    async def follow(self) -> None:
        """Dismiss requests for what has changed, expire those past their deadline, end exceptions, tell what is due."""
        now = self.now
        with contextlib.suppress(
            Overtaken, StoreFault
        ):  # another gateway was first, or the store is away: look again soon
            for request in list(self.open):
                await self._follow_request(request, now)
        self._follow_exceptions(now)

    # How it is done

    async def _follow_request(self, request: Request, now: float) -> None:
        if now >= request.deadline:
            await self._end_by_itself(request, "expire", "its deadline has passed")
        elif why := self._why_dismissed(request):
            await self._end_by_itself(request, "dismiss", why)
        elif request.reminded_at is None and now >= request.deadline - request.policy.reminder:
            async with self._live.changing:
                if request in self._live.state.governance.requests:
                    after = replace(request, reminded_at=now, revision=request.revision + 1)
                    await self._write(RequestMove(after), "remind", ITSELF, now)
                    self._told_of("approval_reminder", after, level="warning")

    def _follow_exceptions(self, now: float) -> None:
        mine = self._live.terms.environment
        found = [each for each in self._live.state.governance.exceptions if each.environment == mine]
        over = [replace(each, ended_at=now) for each in found if each.ended_at is None and now >= each.until]
        if over:
            self._changed(over, "end_exception", now)
            self._live.swap_all()
            for each in over:
                self._tell("exception_ended", "warning", each, owner=each.owner)
        overdue = [each for each in found if each.is_overdue(now) and each.lasts(now)]
        new = [replace(each, overdue_at=now) for each in overdue if each.overdue_at is None]
        if new:
            self._changed(new, "emergency_overdue", now)
        for each in overdue:
            if now - self._told.get(each.id, 0.0) >= TOLD_SECONDS:
                self._told[each.id] = now
                self._tell("emergency_overdue", "error", each, owner=each.owner, review_by=each.review_by)

    def _changed(self, exceptions: Sequence[Excepted], verb: str, now: float) -> None:
        """Take what has become of exceptions as known, and have it recorded; of several gateways one tells it."""
        live = self._live
        live.state.governance = live.state.governance.with_exceptions(exceptions)
        acts = [act_of_exception(each, verb, ITSELF, now) for each in exceptions]
        live.record_later(f"exceptions: {verb}", lambda: live.world.store.record_exceptions(exceptions, acts))

    def _lapsed(self, request: Request) -> list[SignOff]:
        return list(rules.lapsed(request, self._live.current.operators.by_name))

    def _why_dismissed(self, request: Request) -> str | None:
        """Say why a request is no longer for what is there, where it was when this process last looked."""
        current = [subject for _, subject in self._requestable.current(request)]
        if any(subject.digest == request.digest for subject in current):
            self._matched.add(request.id)
            lapsed = self._lapsed(request)
            why = rules.said_lapsed(each for each in lapsed if (request.id, each.person) in self._vouched)
            self._vouched.update((request.id, each.person) for each in request.sign_offs if each not in lapsed)
            return why or None
        if request.id not in self._matched:
            return None  # this process's files may be older, or newer, than those that it was made by
        return why_changed(request, current)

    async def _ask(
        self,
        wanted: Callable[[], tuple[Subject, ApprovalPolicy]],
        who: Operator,
        reason: str,
        rollback_plan: str,
        origin: Origin,
    ) -> Request:
        live = self._live
        async with live.changing:
            await live.caught_up()
            now = self.now
            subject, policy = wanted()
            request = rules.opened(
                subject, policy, who, new_id=live.world.new_id(), now=now, reason=reason, rollback_plan=rollback_plan
            )
            waiting = live.state.governance.open_request(subject.place)
            if waiting is not None:
                raise VerbRefused(
                    f"{waiting.requester} has asked for it already; sign, withdraw or reject that request"
                )
            standing = self._standing(request)
            if standing is not None:
                if (why := standing.why_out(now)) is not None:
                    raise VerbRefused(f"{standing} is {why}; publish another version")
                asked = replace(standing, author=standing.author or who.name)
                takes = standing.review in (Review.draft, Review.candidate)
                standing = review(asked, "request", reason, now) if takes else None
            await self._write(RequestMove(request, standing=standing), "request", By(who.name, origin), now)
            self._matched.add(request.id)
        self._told_of("approval_requested", request)
        return request

    async def _sign(self, name: str, version: str | None, signed: Act, by: By) -> Request:
        live = self._live
        async with live.changing:
            await live.caught_up()
            now, request = self.now, self._waiting(name, version)
            current = [subject for _, subject in self._requestable.current(request)]
            if request.digest not in {subject.digest for subject in current}:
                why = why_changed(request, current)
                await self._finish(rules.ended(request, "dismiss", GATEWAY, why, now), "dismiss", ITSELF, now)
                raise VerbRefused(f"the {request}, is dismissed: {why}; request it anew")
            if why := rules.said_lapsed(self._lapsed(request)):
                raise VerbRefused(f"the {request}, cannot be signed: {why}; withdraw it, and request it anew")
            after = signed(request, now)
            if after.missing:
                await self._write(RequestMove(after), "sign", by, now)
                self._told_of("approval_signed", after)
                return after
            self._expect_gates(after)
            return await self._approve(after, by, now)

    async def _approve(self, request: Request, by: By, now: float) -> Request:
        after, approval = rules.approved(request, now)
        mine = (request.environment, request.name, request.version)
        reviewed = tuple(
            replace(each, reviewed_at=now)
            for each in self._live.state.governance.exceptions
            if (each.environment, each.name, each.version) == mine and each.is_emergency and each.reviewed_at is None
        )
        move = RequestMove(after, approval, self._moved(after, "approve", "", now), reviewed)
        await self._write(move, "approve", by, now)
        self._told_of("approved", after)
        return after

    def _expect_gates(self, request: Request) -> None:
        """Refuse the last sign-off while a gate of the request's policy does not hold."""
        for considered, subject in self._requestable.current(request):
            if subject.digest == request.digest:
                found = self._requestable.gates(considered, subject, request.policy, request.rollback_plan)
                short = "; ".join(f"{gate}: {why}" for gate, why in found if why is not None)
                if short:
                    raise VerbRefused(f"the {request}, cannot be approved while a gate does not hold: {short}")

    async def _end(self, name: str, version: str | None, verb: str, act: Act, by: By) -> Request:
        live = self._live
        async with live.changing:
            await live.caught_up()
            now = self.now
            after = act(self._waiting(name, version), now)
            return await self._finish(after, verb, by, now)

    async def _end_by_itself(self, request: Request, verb: str, why: str) -> None:
        live = self._live
        async with live.changing:
            now = self.now
            if request in live.state.governance.requests:
                await self._finish(rules.ended(request, verb, GATEWAY, why, now), verb, ITSELF, now)

    async def _finish(self, after: Request, verb: str, by: By, now: float) -> Request:
        move = RequestMove(after, standing=self._moved(after, verb, after.ended_reason, now))
        await self._write(move, verb, by, now)
        self._told_of(f"request_{after.state.value}", after, level="warning")
        return after

    def _moved(self, request: Request, verb: str, reason: str, now: float) -> Standing | None:
        """Say where a release's review comes to by the end of a request for it; None where it stays.

        One that is approved elsewhere stays so, and one that is requested elsewhere stays in review.
        """
        standing = self._standing(request)
        if standing is None or standing.review is not Review.in_review:
            return None
        others = [
            each
            for each in self._live.state.governance.requests
            if (each.kind, each.name, each.version) == (request.kind, request.name, request.version)
            and each.id != request.id
        ]
        if others and REVIEWS[verb] == "withdraw":
            return None
        return review(standing, REVIEWS[verb], reason, now)

    def _standing(self, request: Request) -> Standing | None:
        if request.kind != "release":
            return None
        return self._live.state.standings.get(("release", request.name, request.version))

    def _waiting(self, name: str, version: str | None) -> Request:
        for each in self.open:
            is_it = each.kind == "approval_policy" if version is None else each.version == version
            if each.name == name and is_it:
                return each
        said = f"approval policy {name[:100]}" if version is None else f"{name[:100]}/{version[:100]}"
        remedy = f"--policy {name[:100]}" if version is None else said
        raise UnknownSubject(f"nothing is requested of {said}; pinion release request {remedy}")

    async def _except(
        self,
        route: str,
        version: str,
        who: Operator,
        reason: str,
        origin: Origin,
        terms: Callable[[float, ApprovalPolicy], tuple[float, float | None]],
    ) -> Excepted:
        live = self._live
        if why := why_no_person(who):
            raise NotPermitted(why)
        async with live.changing:
            await live.caught_up()
            now = self.now
            considered, subject = self._requestable.release(route, version)
            policy = considered.policy_for(considered.policies.routes[route])
            if policy is None:
                raise VerbRefused(
                    f"no approval policy governs {subject} in {subject.environment}; it serves without one"
                )
            standing = live.state.standings.get(("release", route, version))
            if standing is not None and (out := standing.why_out(now)) is not None:
                raise VerbRefused(f"{standing} is {out}; publish another version")
            until, review_by = terms(now, policy)
            made = Excepted(
                id=live.world.new_id(),
                environment=subject.environment,
                name=route,
                version=version,
                digest=subject.digest,
                owner=who.name,
                reason=reason,
                at=now,
                until=until,
                is_emergency=review_by is not None,
                review_by=review_by,
            )
            act = act_of_exception(made, "emergency" if made.is_emergency else "except", By(who.name, origin), now)
            live.noted(await live.world.store.record_exceptions([made], [act]))
            live.state.governance = live.state.governance.with_exceptions([made])
        self._tell("exception_made", "warning", made, owner=who.name, reason=reason, until=until)
        return made

    async def _write(self, move: RequestMove, verb: str, by: By, now: float) -> None:
        live, state = self._live, self._live.state
        live.noted(await live.world.store.record_request(move, tuple(acts_of_request(move, verb, by, now))))
        state.governance = state.governance.with_request(move)
        if move.standing is not None:
            live.take_standings([move.standing])
            if move.standing.review is Review.rejected:
                state.governance = state.governance.without_admissions(move.standing.name, move.standing.version)
            live.swap_all()

    def _told_of(self, event: str, request: Request, level: str = "info") -> None:
        self._live.world.journal.event(
            event,
            level=level,
            request=request.id,
            subject=request.name if request.kind != "release" else f"{request.name}/{request.version}",
            environment=request.environment,
            requester=request.requester,
            signed=[each.person for each in request.sign_offs],
            missing=request.missing,
            by=request.ended_by,
            reason=request.ended_reason or request.reason,
        )

    def _tell(self, event: str, level: str, made: Excepted, **more: object) -> None:
        release = f"{made.name}/{made.version}"
        self._live.world.journal.event(event, level=level, release=release, environment=made.environment, **more)
