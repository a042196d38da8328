"""The fleet bus, on a real Redis."""

import asyncio
import contextlib
import gc
import json
from contextlib import asynccontextmanager

import pytest
from uvicorn.loops.auto import auto_loop_factory

from gateway.adapters.redis_fleet import CONNECTIONS, KEPT_MESSAGES, MOST_CHARACTERS, RedisFleet
from gateway.adapters.system_clock import SystemClock
from gateway.core.errors import FleetFault, SetupFault
from gateway.core.fleet_message import LOOK
from tests.adapters.clock_and_journal import Journal
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

WITHIN = 60.0


@pytest.fixture(scope="module")
def server():
    """One Redis for the tests that leave it as it is."""
    with RedisServer() as running:
        yield running


@pytest.fixture
def own_server():
    """A Redis for a test that does something to it."""
    with RedisServer() as running:
        yield running


class Joined:
    """A gateway's end of the bus, and what it hears."""

    def __init__(self, fleet, journal):
        self.fleet, self.journal, self.heard = fleet, journal, []

    async def listen(self):
        async for message in self.fleet.heard():
            self.heard.append(dict(message))


@asynccontextmanager
async def joined(server, name="chain-1", url=None, *, listens=True):
    """A gateway of the store of this name."""
    journal = Journal()
    fleet = await RedisFleet.open(url or server.url, journal, SystemClock())

    async def identity():
        return name

    await fleet.join(identity)
    found = Joined(fleet, journal)
    listening = asyncio.ensure_future(found.listen() if listens else asyncio.sleep(0))
    try:
        yield found
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await fleet.close()


async def until(condition, within=WITHIN):
    """Wait until a condition holds, which may be a coroutine's answer; a fleet that is away does not yet."""
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(FleetFault):
                found = condition()
                if await found if asyncio.iscoroutine(found) else found:
                    return
            await asyncio.sleep(0.02)


async def certainly(act):
    """Do something with the bus until it is done: a slow machine may take it for away meanwhile."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                return await act()
            except FleetFault:
                await asyncio.sleep(0.02)


async def test_counters_are_of_all_gateways_of_a_store_and_of_no_other(server):
    """Zero amounts read; a name may hold anything; a counter lasts as long as it was asked to."""
    async with joined(server) as one, joined(server) as other, joined(server, "chain-2") as stranger:
        assert {"a": 2, "b é:/": 0} == await certainly(lambda: one.fleet.add({"a": 2, "b é:/": 0}, 60))
        assert {"a": 5} == await certainly(lambda: other.fleet.add({"a": 3}, 60))
        assert {"a": 1} == await certainly(lambda: stranger.fleet.add({"a": 1}, 60))
        assert {} == await certainly(lambda: one.fleet.add({}, 60))
        assert 59_000 < server.ask("PTTL", "pinion:chain-1:n:a") <= 60_000


async def test_gateways_are_counted_while_they_live(server):
    """Each is counted by its heartbeats; one that leaves is counted no more."""
    async with joined(server, "chain-3") as one:
        async with joined(server, "chain-3") as other:
            await until(lambda: _both(one, other))
            assert (True, 2) == (one.fleet.reading().is_up, one.fleet.reading().replicas)
        await until(lambda: _is(one.fleet.replicas, 1))


async def _is(ask, expected):
    return await ask() == expected


async def test_what_is_said_is_heard_by_every_other_gateway_once(server):
    """Not by who said it, and not by another store's; who came too late hears it as late."""
    async with (
        joined(server, "chain-4") as one,
        joined(server, "chain-4") as two,
        joined(server, "chain-5") as stranger,
    ):
        await until(lambda: one.heard and two.heard and stranger.heard)
        await certainly(lambda: one.fleet.say({"kind": "x", "n": 1}))
        await until(lambda: {"kind": "x", "n": 1} in two.heard)
        async with joined(server, "chain-4") as late:
            await until(lambda: LOOK in late.heard)
            assert [{"kind": "x", "n": 1, "late": True}, LOOK] == late.heard
        assert ([LOOK], [LOOK, {"kind": "x", "n": 1}], [LOOK]) == (one.heard, two.heard, stranger.heard)


async def test_what_is_no_message_is_heard_as_nothing_in_it(server):
    """Whatever somebody else puts on the channel, a listener goes on."""
    async with joined(server, "chain-6") as one, joined(server, "chain-6") as two:
        await until(lambda: two.heard)
        for raw in (
            "",
            "nonsense",
            "[]",
            "{}",
            '{"by": 1, "id": 2, "said": 3}',
            "[" * 5_000,
            "x" * (MOST_CHARACTERS + 1),
        ):
            server.ask("PUBLISH", "pinion:chain-6:bus", raw)
        await certainly(lambda: one.fleet.say({"kind": "x"}))
        await until(lambda: {"kind": "x"} in two.heard)
        assert [LOOK, *[{}] * 7, {"kind": "x"}] == two.heard


async def test_what_is_passed_on_is_heard_by_who_listens_now_and_kept_for_nobody(server):
    """It takes no place among the messages that are kept, nor among those that are known."""
    async with joined(server, "chain-7") as one, joined(server, "chain-7") as two:
        await until(lambda: LOOK in two.heard)
        for _ in range(2):
            await certainly(lambda: one.fleet.pass_on([{"kind": "x"}, {"kind": "y"}]))
        await until(lambda: two.heard.count({"kind": "y"}) >= 2)
        assert two.heard.count({"kind": "x"}) >= 2
        assert LOOK == one.heard[-1]
        async with joined(server, "chain-7") as late:
            await until(lambda: late.heard)
            assert [LOOK] == late.heard


async def test_messages_kept_for_the_late_are_bounded(server):
    """The oldest make way."""
    kept = json.dumps({"by": "b", "id": "i", "said": {}})
    server.ask("RPUSH", "pinion:chain-7:said", *[kept] * 2 * KEPT_MESSAGES)
    async with joined(server, "chain-7") as one:
        await certainly(lambda: one.fleet.say({"kind": "x"}))
        assert KEPT_MESSAGES == server.ask("LLEN", "pinion:chain-7:said")
        assert 0 < server.ask("TTL", "pinion:chain-7:said") <= 600


async def test_a_lease_is_one_gateways_until_it_gives_it_back_or_is_gone(server):
    """Who has it keeps it by asking again; who does not cannot give it back."""
    async with joined(server, "chain-8") as one, joined(server, "chain-8") as two:
        assert {"a", "b"} == await certainly(lambda: one.fleet.take(["a", "b"], 60))
        assert {"c"} == await certainly(lambda: two.fleet.take(["a", "c"], 60))
        assert {"a"} == await certainly(lambda: one.fleet.take(["a"], 60))
        await certainly(lambda: two.fleet.give_back(["a"]))
        assert frozenset() == await certainly(lambda: two.fleet.take(["a"], 60))
        await certainly(lambda: one.fleet.give_back(["a"]))
        assert {"a"} == await certainly(lambda: two.fleet.take(["a"], 0.05))
        await until(lambda: _is(lambda: one.fleet.take(["a"], 60), {"a"}))


async def test_a_listener_in_a_quiet_fleet_asks_whether_redis_is_there(own_server):
    """And hears what is said afterwards on the same connection."""
    async with joined(own_server) as one, joined(own_server) as two:
        await until(lambda: one.heard and own_server.calls("ping") > 2)
        await certainly(lambda: two.fleet.say({"kind": "x"}))
        await until(lambda: one.heard[1:] == [{"kind": "x"}])
        assert frozenset() == await certainly(lambda: one.fleet.take([], 60))


async def test_before_the_store_tells_its_name_the_fleet_is_away(server):
    """Nothing is written under a name that may be another's."""
    fleet = await RedisFleet.open(server.url, Journal(), SystemClock())
    try:
        with pytest.raises(FleetFault, match="the store has not told yet which fleet this is"):
            await fleet.add({"a": 1}, 60)
        assert not fleet.reading().is_up
    finally:
        await fleet.close()


async def test_redis_that_dies_and_comes_back_is_told_once_each(own_server):
    """Refused: after five faults nobody asks any more, until a trial finds it; counters begin anew."""
    async with joined(own_server) as one:
        await until(lambda: one.heard)
        await certainly(lambda: one.fleet.add({"a": 1}, 60))
        own_server.kill()
        for _ in range(50):
            with contextlib.suppress(FleetFault):
                await one.fleet.add({"a": 1}, 60)
        reading = one.fleet.reading()
        assert (False, 1) == (reading.is_up, reading.replicas)
        assert reading.away_since is not None
        assert reading.commands["failed"] <= 5
        own_server.start()
        await until(lambda: _is_there(one))
        assert {"a": 1} == await certainly(lambda: one.fleet.add({"a": 1}, 60))
        assert 1 <= len(one.journal.named("fleet_away")) == len(one.journal.named("fleet_back"))
        await until(lambda: one.heard.count(LOOK) >= 2)


async def _is_there(one):
    return one.fleet.reading().is_up


async def test_frozen_redis_holds_nobody_up(own_server):
    """The first command waits no longer than it may, and then none is sent; it is heard of again when it is thawed."""
    async with joined(own_server) as one, joined(own_server) as two:
        await until(lambda: one.heard and two.heard)
        own_server.freeze()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(FleetFault, match=r"no answer within 0\.1 s"):
            await one.fleet.add({"a": 1}, 60)
        assert loop.time() - began < 10  # and not for ever
        await until(lambda: _refused(one))
        assert 1 <= one.fleet.reading().commands["timeout"] <= 5
        own_server.thaw()
        await until(lambda: _is_there(one))
        await certainly(lambda: one.fleet.say({"kind": "x"}))
        await until(lambda: any(each.get("kind") == "x" for each in two.heard))


async def _refused(one):
    with contextlib.suppress(FleetFault):
        await one.fleet.add({"a": 1}, 60)
    return one.fleet.reading().commands["away"] > 0


async def test_slow_redis_does_not_flap(own_server):
    """Over the limit it is away for longer each time, in a line or two for each pause, however often it is asked."""
    async with joined(own_server) as one:
        stop = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < stop:
            own_server.ask("CLIENT", "PAUSE", 300, "ALL")
            for _ in range(20):
                with contextlib.suppress(FleetFault):
                    await one.fleet.add({"a": 1}, 60)
                await asyncio.sleep(0.02)
        assert 1 <= len(one.journal.named("fleet_away")) <= 6
        assert len(one.journal.events) <= 12


async def test_an_emptied_redis_is_filled_again(own_server):
    """Everything in it may be lost: leases are free, counters begin at nothing, and nobody believes to be alone."""
    async with joined(own_server) as one, joined(own_server) as two:
        await until(lambda: _both(one, two))
        await certainly(lambda: two.fleet.add({"a": 7}, 60))
        own_server.ask("FLUSHALL")
        assert {"a": 1} == await certainly(lambda: one.fleet.add({"a": 1}, 60))

        async def counts_two_of_one():
            return await one.fleet.replicas() == 2 and own_server.ask("ZCARD", "pinion:chain-1:alive") == 1

        await until(counts_two_of_one)
        await until(lambda: _both(one, two))


async def _both(one, two):
    return (2, 2) == (await two.fleet.replicas(), await one.fleet.replicas())


async def test_a_listener_that_is_cut_off_hears_what_it_missed(own_server):
    """Its connection is cut, something is said, it connects again: it hears it, as late, and that it should look."""
    async with joined(own_server) as one, joined(own_server) as two:
        await until(lambda: one.heard and two.heard)
        own_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await certainly(lambda: one.fleet.say({"kind": "x"}))
        await until(lambda: [each for each in two.heard if each.get("kind") == "x"] and two.heard.count(LOOK) == 2)
        assert 1 == sum(each.get("kind") == "x" for each in two.heard)


async def test_a_command_without_an_answer_does_not_cut_the_listener_off(own_server):
    """It listens on by the connection that it had, in which there may be what Redis has counted as heard."""

    def listeners():
        return [line.split()[0] for line in own_server.ask("CLIENT", "LIST", "TYPE", "pubsub").splitlines()]

    async with joined(own_server) as one:
        await until(lambda: one.heard)
        before = listeners()
        own_server.ask("CLIENT", "PAUSE", "1000")
        with pytest.raises(FleetFault):
            await one.fleet.add({"a": 1}, 60)
        assert one.fleet.reading().commands["timeout"]
        await certainly(lambda: one.fleet.add({"a": 1}, 60))
        assert before == listeners()


def test_a_listener_outlives_whatever_becomes_of_its_connections(own_server):
    """On the loop that gateways run on, which has words of its own for a connection that was closed under a command."""

    async def lose_and_hear():
        async with joined(own_server) as one, joined(own_server) as two:
            for number in range(12):
                await one.fleet._redis.connection_pool.disconnect()
                own_server.ask("CLIENT", "KILL", "TYPE", ("pubsub", "normal")[number % 2])
                await certainly(lambda said=number: two.fleet.say({"kind": "x", "n": said}))
                await until(lambda said=number: [each for each in one.heard if each.get("n") == said])

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(lose_and_hear())


async def test_nothing_is_missed_by_a_listener_whose_connection_is_closed_between_two_messages(own_server):
    """It does not go on with a new connection as if nothing had happened: it hears what was said meanwhile."""
    async with joined(own_server) as one, joined(own_server, listens=False) as two:
        hearing = two.fleet.heard()
        assert LOOK == await anext(hearing)
        await two.fleet._redis.connection_pool.disconnect()
        await certainly(lambda: one.fleet.say({"kind": "x"}))
        async with asyncio.timeout(WITHIN):
            assert {"kind": "x", "late": True} == await anext(hearing)
        await hearing.aclose()


async def test_a_former_leader_is_left(own_server):
    """READONLY is a fault, and connections to it are let go of, so that the next finds the leader."""
    async with joined(own_server) as one:
        await certainly(lambda: one.fleet.add({"a": 1}, 60))
        own_server.ask("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(FleetFault):
            await one.fleet.add({"a": 1}, 60)
        own_server.ask("REPLICAOF", "NO", "ONE")
        assert 0 < (await certainly(lambda: one.fleet.add({"a": 1}, 60)))["a"]


async def test_more_callers_than_connections_and_cancelled_ones_get_their_own_answers(server):
    """What was cancelled, at whatever moment, leaves nothing behind for others to read: 1,500 times of 2,000."""
    async with joined(server, "chain-9") as one:

        async def ask(n):
            with contextlib.suppress(FleetFault):
                return await one.fleet.add({f"own-{n}": n}, 60) == {f"own-{n}": n}

        for start in range(0, 2000, 40):
            tasks = [asyncio.ensure_future(ask(n)) for n in range(start, start + 40)]
            for _ in range(start // 40 % 10):
                await asyncio.sleep(0)
            for task in (task for number, task in enumerate(tasks) if number % 4):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(each in (True, None) or isinstance(each, asyncio.CancelledError) for each in ended)
        assert {"own-last": 1} == await certainly(lambda: one.fleet.add({"own-last": 1}, 60))


async def test_a_command_that_fails_after_its_caller_was_cancelled_is_counted_and_no_more(own_server):
    """Nobody is left to be told: the loop must not take it for an accident."""
    async with joined(own_server) as one:
        await certainly(lambda: one.fleet.add({"a": 1}, 60))
        own_server.ask("CLIENT", "PAUSE", "1000")
        timeouts = one.fleet.reading().commands["timeout"]
        asked = asyncio.ensure_future(one.fleet.add({"a": 1}, 60))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.wait([asked])
        await until(lambda: one.fleet.reading().commands["timeout"] > timeouts)
        del asked
        gc.collect()  # an accident is told when its task goes


async def test_waiting_for_a_connection_is_a_fault(own_server):
    """All connections to a healthy Redis are in use: a caller waits no longer than for an answer, and it counts."""
    async with joined(own_server) as one:
        await certainly(lambda: one.fleet.add({"a": 1}, 60))
        held = [asyncio.ensure_future(one.fleet._redis.blpop(["nothing"], 60)) for _ in range(CONNECTIONS)]
        await until(lambda: own_server.ask("INFO", "clients")["blocked_clients"] >= CONNECTIONS - 1)
        faults = _faults(one)
        with pytest.raises(FleetFault):
            await one.fleet.add({"a": 1}, 60)
        assert _faults(one) > faults
        await until(lambda: _asked_in_vain(one))
        assert own_server.ask("PING")
        await until(lambda: _is_there(one))
        await asyncio.gather(*held, return_exceptions=True)


def _faults(one):
    """How many commands have failed."""
    results = one.fleet.reading().commands
    return results["failed"] + results["timeout"]


async def _asked_in_vain(one):
    """Ask once more, and see whether the fleet is taken for away now."""
    with contextlib.suppress(FleetFault):
        await one.fleet.add({"a": 1}, 60)
    return one.journal.named("fleet_away")


async def test_a_redis_that_is_not_there_at_the_start_is_waited_for(own_server):
    """It only hints: the gateway starts, and the journal says so."""
    own_server.kill()
    async with joined(own_server) as one:
        assert (1, 0) == (len(one.journal.named("fleet_away")), len(one.journal.named("fleet_back")))
        assert repr(one.fleet) == f"RedisFleet('redis://127.0.0.1:{own_server.port}/0')"
        own_server.start()
        await until(lambda: _is_there(one))


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("default:wrong", "refuses this gateway"),
        ("guest:only-for-tests", "no permissions"),
    ],
)
async def test_a_redis_that_does_not_let_it_do_what_it_must_is_refused(user, said):
    """A wrong password and a user without rights are one line, with the remedy, and no secret."""
    with RedisServer("--requirepass", "only-for-tests") as server:
        server.ask(
            "ACL",
            "SETUSER",
            "guest",
            "on",
            ">only-for-tests",
            "~pinion:*",
            "+@all",
            "-publish",
            password="only-for-tests",
        )
        with pytest.raises(SetupFault, match=said) as refused:
            await RedisFleet.open(f"redis://{user}@127.0.0.1:{server.port}", Journal(), SystemClock())
        assert "docs/fleet.md" in refused.value.message
        assert user.partition(":")[2] not in refused.value.message


async def test_a_password_lets_it_in_and_is_told_nowhere():
    """Not in what it says of itself, nor in what the journal says."""
    with RedisServer("--requirepass", "only-for-tests") as server:
        async with joined(server, url=f"redis://:only-for-tests@127.0.0.1:{server.port}") as one:
            assert {"a": 1} == await certainly(lambda: one.fleet.add({"a": 1}, 60))
            server.kill()
            for _ in range(6):
                with contextlib.suppress(FleetFault):
                    await one.fleet.add({"a": 1}, 60)
            told = repr(one.fleet) + repr(one.journal.events) + repr(one.fleet.reading())
            assert "only-for-tests" not in told
            assert one.journal.named("fleet_away")
