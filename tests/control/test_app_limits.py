"""The limits of applications, live: what is refused, what counts, what survives, and what gateways share."""

from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.core.errors import RateLimited, StoreFault, UnknownSubject
from gateway.core.limit import AppUse
from tests.adapters.ledger_records import record
from tests.control.limit_fleet import Counters, Fleet
from tests.control.serving_world import Copy, Store, files, route, serving

pytestmark = pytest.mark.anyio

PRICED = """
kind: model
name: atlas
provider: sim
versions: {"2026-01-01": {upstream_model: atlas-2026-01-01, price: {input: 1, output: 2}}}
---
kind: route
name: desk
releases: {"1.0.0": {model: "atlas@2026-01-01"}}
serve: "1.0.0"
"""


def policies(limits: str = "[{requests: 3, per: 1m}]", name: str = "helpdesk") -> dict[str, str]:
    """A set with one application of these limits, and one without any."""
    app = f"kind: app\nname: {name}\nkeys: []\nlimits: {limits}\n"
    return files(PRICED, app, "kind: app\nname: other\nkeys: []\n")


class Ledger:
    """Port `Ledger`: what applications have used, or a fault."""

    def __init__(self, *uses: AppUse) -> None:
        self.uses = uses
        self.away = False
        self.asked: list[tuple] = []

    async def app_use(self, apps, since, until, per):
        if self.away:
            raise StoreFault("the ledger is away")
        self.asked.append((tuple(apps), since, until, per))
        return [use for use in self.uses if use.app in apps and since <= use.start < until]


class Counted:
    """A process and its limits, by short words."""

    def __init__(self, process) -> None:
        self.process = process
        self.limits = process.app_limits

    @property
    def now(self) -> float:
        return self.process.clock.wall()

    def ask(self, times: int = 1, app: str = "helpdesk") -> int:
        """Ask some times; give how many were let through."""
        passed = 0
        for _ in range(times):
            try:
                self.limits.take(app, self.now)
            except RateLimited:
                continue
            passed += 1
        return passed

    def settle(self, **changes) -> None:
        """A request of the application has ended, of 1,100 tokens and 0.0035 dollars where nothing else is said."""
        self.limits.hear(record(1, **{"at": self.now, "app": "helpdesk", "endpoint": "chat", **changes}))

    def used(self, *, app: str | None = None) -> list:
        """What is used of each limit."""
        return [each["used"] for one in self.limits.describe(app)["apps"] for each in one["limits"]]


@asynccontextmanager
async def counting(limits: str = "[{requests: 3, per: 1m}]", fleet=None, **more):
    """A process whose one application has these limits, at the start of a minute."""
    async with serving(policies(limits), fleet=fleet, **more) as process:
        process.clock.now += 60 - process.clock.wall() % 60
        yield Counted(process)


async def test_requests_over_the_limit_are_refused():
    """The fourth of three a minute, with the seconds to wait; it does not count, and the meters hear of it."""
    async with counting() as one:
        assert 3 == one.ask(3)
        with pytest.raises(RateLimited, match="helpdesk has used its 3 requests per 1m; try again in 61 s") as refused:
            one.limits.take("helpdesk", one.now)
        overrun = refused.value.overrun
        assert (61, one.now, [3]) == (overrun.wait, overrun.at, [use.used for use in overrun.uses])
        assert ([("helpdesk", "requests")], [3]) == (one.process.meters.over, one.used())
        one.process.clock.now += overrun.wait
        assert 1 == one.ask(3)


async def test_applications_count_apart_and_those_without_limits_not_at_all():
    """What one uses is nobody else's; one that is not known passes."""
    async with counting() as one:
        assert (3, 9, 9) == (one.ask(9), one.ask(9, "other"), one.ask(9, "stranger"))
        assert [] == one.used(app="other")


async def test_tokens_and_dollars_count_once_they_are_known():
    """Input and output together; a request is let through by what is counted, so the last may overshoot."""
    async with counting("[{tokens: 2000, per: 1m}, {usd: 0.01, per: 1d}]") as one:
        assert 5 == one.ask(5)
        one.settle()
        assert ([1_100, 0.0035], 1) == (one.used(), one.ask())
        one.settle()
        assert ([2_200, 0.007], 0) == (one.used(), one.ask())
        with pytest.raises(RateLimited, match="2,000 tokens per 1m"):
            one.limits.take("helpdesk", one.now)


async def test_the_limit_that_is_waited_for_the_longest_is_named():
    """The day's, of a minute's and a day's that are both used up."""
    async with counting("[{requests: 1, per: 1m}, {requests: 1, per: 1d}]") as one:
        one.ask()
        with pytest.raises(RateLimited, match="1 request per 1d"):
            one.limits.take("helpdesk", one.now)


async def test_what_does_not_tell_its_use_counts_as_the_usual():
    """An answer that a client left, or a stream that broke off; not what no provider worked on."""
    async with counting("[{tokens: 100000, per: 1h}, {usd: 1, per: 1h}]") as one:
        unknown = {"input_tokens": None, "output_tokens": None, "cost_nano_usd": None}
        one.settle(outcome="cancelled", status=0, **unknown)
        assert [1_000, 0.01] == one.used()
        one.settle(input_tokens=500, output_tokens=None)
        one.settle(outcome="failed", status=200, **unknown)
        assert [2_000, 0.017] == one.used()
        for outcome, status in (("failed", 502), ("client_fault", 400), ("rate_limited", 429), ("gateway_fault", 503)):
            one.settle(outcome=outcome, status=status, **unknown)
        assert [2_000, 0.017] == one.used()


async def test_counting_tokens_uses_none():
    """Providers count for nothing, so what they count is no use."""
    async with counting("[{tokens: 1000, per: 1h}]") as one:
        one.settle(endpoint="count_tokens", output_tokens=None)
        assert [0] == one.used()


async def test_a_changed_limit_keeps_its_count():
    """More room at once where it grows, none where it shrinks; another window is another, and a removed one is gone."""
    async with counting() as one:
        one.ask(3)
        await one.process.serving.reload(policies("[{requests: 5, per: 1m}, {requests: 9, per: 1h}]"))
        assert (2, [5, 2]) == (one.ask(9), one.used())
        await one.process.serving.reload(policies("[{requests: 4, per: 1m}]"))
        assert (0, [5]) == (one.ask(), one.used())
        await one.process.serving.reload(policies("[]"))
        assert (9, []) == (one.ask(9), one.used())


async def test_a_step_of_a_rollout_changes_no_count():
    """A new snapshot of the same policies is nothing new for limits."""
    async with counting() as one:
        one.ask(2)
        one.process.live.swap_all()
        assert ([2], 1) == (one.used(), one.ask(9))


async def test_what_was_used_before_the_start_is_read_from_the_ledger():
    """Of both windows, and once; a ledger that is away is asked again."""
    async with counting("[{requests: 9, per: 1m}, {usd: 50, per: 1m}, {tokens: 90, per: 1h}]") as one:
        started = one.process.clock.wall()
        await one.process.serving.reload(policies("[{requests: 9, per: 1s}]"))
        await one.process.serving.reload(
            policies("[{requests: 9, per: 1m}, {usd: 50, per: 1m}, {tokens: 90, per: 1h}]")
        )
        minute, hour = started - 60, started // 3_600 * 3_600
        ledger = Ledger(
            AppUse("helpdesk", minute, 4, nano_usd=8_000_000_000, answers_with_cost=2, answers_without_cost=1),
            AppUse("helpdesk", hour, 1, tokens=30, answers_with_tokens=1),
            AppUse("other", minute, 7),
        )
        ledger.away = True
        await one.limits.learn(ledger)
        assert [0, 0.0, 0] == one.used()
        ledger.away = False
        for _ in range(2):
            await one.limits.keep(ledger)
        assert [4, 12.0, 30] == one.used()
        assert [
            (("helpdesk",), minute, started, 60.0),
            (("helpdesk",), hour - 3_600, started, 3_600.0),
        ] == ledger.asked
        unknown = {"input_tokens": None, "output_tokens": None, "cost_nano_usd": None}
        one.settle(outcome="cancelled", **unknown)
        assert [4, 16.0, 60] == one.used()


async def test_applications_with_one_window_are_asked_for_together():
    """One question for each length of a window, and each gets what is its own."""
    async with counting("[{requests: 9, per: 1m}]") as one:
        more = "kind: app\nname: a\nkeys: []\nlimits: [{requests: 9, per: 1h}]\n"
        await one.process.serving.reload({**policies("[{requests: 9, per: 1h}]"), "b.yaml": more})
        hour = one.now // 3_600 * 3_600
        ledger = Ledger(AppUse("helpdesk", hour, 4), AppUse("a", hour - 3_600, 9))
        await one.limits.learn(ledger)
        left = 9 - int(9 * (1 - (one.now - hour) / 3_600))
        assert ([("a", "helpdesk")], [9 - left, 4]) == ([apps for apps, *_ in ledger.asked], one.used())


@asynccontextmanager
async def fleet_of(number: int, limits: str):
    """Gateways that share these limits, and what they share."""
    counters = Counters()
    counters.gateways = number
    async with AsyncExitStack() as stack:
        them = [await stack.enter_async_context(counting(limits, Fleet(counters))) for _ in range(number)]
        for one in them:
            await one.limits.share()
        yield them, counters


async def test_gateways_share_what_is_left():
    """Each gives at most its share between two exchanges, and what is left after one is what all may still give."""
    async with fleet_of(3, "[{requests: 30, per: 1m}]") as (them, _):
        assert 10 == them[0].ask(50)
        await them[0].limits.share()
        assert 7 == them[0].ask(50)
        for one in them:
            await one.limits.share()
        assert [17, 17, 17] == [one.used()[0] for one in them]
        for _ in range(30):
            for one in them[1:]:
                one.ask(1)
                await one.limits.share()
        assert 30 <= them[2].used()[0] <= 32
        await them[0].limits.share()
        assert 0 == them[0].ask()


async def test_a_share_that_is_given_is_waited_for_a_second():
    """While the others have left some; alone, until it has worn off here."""
    async with fleet_of(2, "[{requests: 20, per: 1m}]") as (them, counters):
        them[0].ask(50)
        for away, wait in ((False, 1), (True, 61)):
            counters.away = away
            if away:
                await them[0].limits.share()
            with pytest.raises(RateLimited) as refused:
                them[0].limits.take("helpdesk", them[0].now)
            overrun = refused.value.overrun
            assert (wait, 0) == (overrun.wait, overrun.uses[0].left)


async def test_alone_each_gives_its_own_share():
    """With the fleet away a gateway gives what its share of the rest was, and a whole share of each window after."""
    async with fleet_of(2, "[{requests: 20, per: 1m}]") as (them, counters):
        them[0].ask(4)
        await them[0].limits.share()
        counters.away = True
        await them[0].limits.share()
        await them[0].limits.share()
        assert 8 == them[0].ask(50)
        them[0].process.clock.now += 120
        await them[0].limits.share()
        assert 10 == them[0].ask(50)
        told = them[0].limits.describe()
        assert (2, False) == (told["replicas"], told["shared"])
        (said,) = them[0].process.events("limits_alone")
        assert {"level": "warning", "replicas": 2, "message": "the fleet is away"} == said
        counters.away = False
        await them[0].limits.share()
        assert [{"level": "info", "replicas": 2}] == them[0].process.events("limits_shared")
        assert them[0].limits.describe()["shared"]


async def test_one_that_starts_alone_gives_the_share_that_is_recorded():
    """With the fleet away at the start, from the store and from its copy: never more than the limit by all of them."""
    store, copy, counters = Store(), Copy(), Counters()
    counters.gateways = 3
    async with counting(fleet=Fleet(counters), store=store, copy=copy) as one:
        await one.limits.keep(Ledger())
        assert await one.process.recording.settled(60)
        await one.process.serving.follow()
    counters.away = True
    for store.away in (False, True):
        async with counting("[{requests: 30, per: 1m}]", Fleet(counters), store=store, copy=copy) as one:
            assert 10 == one.ask(50)
            await one.limits.share()
            assert (0, 3) == (one.ask(), one.limits.describe()["replicas"])


async def test_workers_without_a_fleet_give_their_shares():
    """Four of one machine, of 20 requests: five each, and in the next window again."""
    async with counting("[{requests: 20, per: 1m}]", workers=4) as one:
        assert (5, 4) == (one.ask(50), one.limits.describe()["replicas"])
        await one.limits.keep(Ledger())
        assert 0 == one.ask()
        one.process.clock.now += 120
        assert 5 == one.ask(50)


async def test_what_is_shared_has_a_name_by_window():
    """A counter for each application, kind and window, with those of the window before, kept until nothing needs it."""
    async with fleet_of(1, "[{requests: 3, per: 1m}, {usd: 1, per: 1d}]") as (them, counters):
        them[0].ask(2)
        them[0].settle()
        await them[0].limits.share()
        minute, day = (int(them[0].now // per) for per in (60, 86_400))
        assert {
            f"limit/helpdesk/requests/1m/{minute}": 2,
            f"limit/helpdesk/requests/1m/{minute - 1}": 0,
            f"limit/helpdesk/usd/1d/{day}": 3_500_000,
            f"limit/helpdesk/usd/1d/{day - 1}": 0,
        }.items() <= dict(counters.totals).items()
        assert {180.0, 172_860.0} == set(counters.kept.values())


async def test_without_limits_nothing_is_shared():
    """A fleet is not asked for what nobody declares."""
    counters = Counters()
    counters.away = True
    async with serving(policies("[]"), fleet=Fleet(counters)) as process:
        await process.app_limits.share()
        assert [] == process.events("limits_alone")


async def test_limits_are_told_by_application():
    """All that have some, or one; one that is not declared is not known."""
    async with counting("[{requests: 3, per: 1m}, {usd: 1.5, per: 1d}]") as one:
        one.ask(3)
        told = one.limits.describe()
        assert (1, False, ["helpdesk"]) == (told["replicas"], told["shared"], [each["app"] for each in told["apps"]])
        requests, usd = told["apps"][0]["limits"]
        assert ("requests", 3, "1m", 3, 0, 1.0, 120.0) == tuple(
            requests[name] for name in ("limit", "amount", "per", "used", "left", "used_ratio", "idle_in_seconds")
        )
        assert ("usd", 1.5, 0.0, 1.5, 0.0) == tuple(
            usd[name] for name in ("limit", "amount", "used", "left", "idle_in_seconds")
        )
        assert [("helpdesk", 1.0), ("helpdesk", 0.0)] == [(app, use.ratio) for app, use in one.limits.uses()]
        with pytest.raises(UnknownSubject, match="no application 'desk'; there is helpdesk, other"):
            one.limits.describe("desk")
        assert "<AppLimits of 1 applications>" == repr(one.limits)


async def test_a_limit_in_dollars_needs_prices():
    """A set in which it may reach a release whose price nobody knows is refused, by the limit's line."""
    app = "kind: app\nname: helpdesk\nkeys: []\nlimits:\n  - {requests: 3, per: 1m}\n  - {usd: 1, per: 1d}\n"
    async with serving(files(route()), Store()) as process:
        refused = await process.serving.reload(files(route(), app))
        assert (False, 3) == (refused.accepted, len(refused.problems))
        said = str(refused.problems[0])
        assert (
            "app helpdesk has a limit in usd, and may reach desk/1.0.0, whose price is not known; state the price"
            in said
        )
        assert 1 == len({problem.line for problem in refused.problems})
        assert (await process.serving.reload(files(route(), app.replace("keys: []", "keys: []\nroutes: []")))).accepted
