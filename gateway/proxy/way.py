"""What is known of one request on its way: filled in step by step, read when it is settled."""

from dataclasses import dataclass

from gateway.core.assignment import Assignment
from gateway.core.release import Header
from gateway.core.route import Leg
from gateway.core.unit import Unit
from gateway.proxy.admission import Asked
from gateway.proxy.attempts import put_off
from gateway.proxy.retry_budget import RetryBudget
from gateway.proxy.surroundings import Breakers
from gateway.proxy.verdicts import Verdicts


@dataclass(slots=True)
class Way:
    """One admitted request. Times are monotonic seconds.

    `legs` are the attempts that it may come to and `leg` the one that speaks for it: the assigned one at first, then
    the one under way, at last the one that answered. A request whose assignment was refused has none. `is_retrying`
    while a retry is under way, which the budget counts.
    """

    request_id: str
    asked: Asked
    asked_at: float
    verdicts: Verdicts
    budget: RetryBudget
    assignment: Assignment | None = None
    unit: Unit | None = None
    legs: tuple[Leg, ...] = ()
    leg: Leg | None = None
    is_retrying: bool = False
    first_content_at: float | None = None
    sending_seconds: float | None = None
    returning_seconds: float = 0.0

    def assigned(self, assignment: Assignment, unit: Unit | None) -> None:
        """The request has met its release."""
        self.assignment, self.unit = assignment, unit
        self.legs = self.asked.route.legs(assignment.release, assignment.track)
        self.leg = self.legs[0]

    def spare_returning(self, breakers: Breakers, now: float) -> None:
        """Let another release answer, if one can, where one would be asked first that does not take the unit back yet.

        A request without a unit goes by its own id. One that comes to such a release because another has failed is not
        put off: there are few, and what stable makes of it is wanted.
        """
        route, unit = self.asked.route.name, self.request_id if self.unit is None else self.unit.value
        well = [leg.release.version for leg in self.legs if not breakers.is_open(route, leg.release.version)]
        late = {version for version in well if breakers.puts_off(route, version, unit, now)}
        if late and well[0] in late and late < set(well):
            self.legs = put_off(self.legs, late)

    def turn_to_stable(self) -> bool:
        """Leave nothing but stable to try; say whether it is still to be tried. A forced release stands alone.

        A stable release that is out, with no earlier one to serve in its place, gets no request even so.
        """
        stable = next((leg for leg in self.legs if leg.is_stable and leg.track != "forced"), None)
        if stable is None or self.verdicts.stable_failed or self.asked.route.is_out(stable.release):
            return False
        self.legs = (stable,)
        return True

    @property
    def may_retry(self) -> bool:
        """Whether the provider's budget has room for a retry once the attempt under way has failed."""
        return self.budget.has_room(in_place=self.is_retrying)

    def begin_retry(self) -> None:
        """A retry is about to be sent; the one before it has ended."""
        self.is_retrying = True
        self.budget.retries += 1

    def end_retry(self) -> None:
        """The retry under way has ended, however it did."""
        self.is_retrying = False
        self.budget.retries -= 1

    def sent(self, now: float) -> None:
        """An attempt has left; the first one tells how long Pinion took to send it."""
        if self.sending_seconds is None:
            self.sending_seconds = now - self.asked_at

    def content_passed(self, now: float, heard_at: float) -> None:
        """The first content has been passed on; `heard_at` is when it came."""
        self.first_content_at = heard_at
        self.returning_seconds = now - heard_at

    @property
    def headers(self) -> tuple[Header, ...]:
        """Pinion's own headers that tell who serves the request, and why."""
        return () if self.leg is None else self.leg.headers

    @property
    def overhead_seconds(self) -> float:
        """Time spent in Pinion itself: from the whole request to the first send, and from content to its relay."""
        return (self.sending_seconds or 0.0) + self.returning_seconds
