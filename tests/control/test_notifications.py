"""Notifications: each once and in order to every target, however long one is away, and whoever dies meanwhile."""

import asyncio
from dataclasses import replace

import pytest

from gateway.control.notifications import AT_ONCE, Means, Notifications
from gateway.core.audit import AuditAct, Target
from gateway.core.delivery import GIVE_UP_SECONDS, LEAST_TRIES, Cursor
from gateway.core.errors import DeliveryFault
from tests.control.audit_world import Trail
from tests.control.serving_world import Clock, Meters, Store
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio


class Receiver:
    """Port `NotificationTarget`: keeps what it gets; it is away while `away`, answers `answered`, or never answers."""

    def __init__(self, host="hooks.test", key="k1") -> None:
        self.host, self.key = host, key
        self.got = []
        self.tries = 0
        self.away = False
        self.answered = None
        self.silent = False

    async def post(self, message):
        self.tries += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise DeliveryFault(f"https://{self.host}: away", self.answered)
        self.got.append(message)

    def told(self):
        """The reasons in what came."""
        return [message.data["reason"] for message in self.got]


class Cursors:
    """Port `Cursors`, on the disk of a fake store."""

    def __init__(self, store, trail) -> None:
        self.store, self.trail = store, trail
        store.disk.cursors = getattr(store.disk, "cursors", {})

    async def cursor(self, target):
        head = await self.trail.head()
        return self.store.disk.cursors.setdefault(target, Cursor(target, 0 if head is None else head.size))

    async def move(self, before, after):
        self.store._reach()
        if self.store.disk.cursors[before.target].seq != before.seq:
            return False
        self.store.disk.cursors[before.target] = after
        return True


class Life:
    """One gateway's notifications over a store."""

    def __init__(self, *receivers, store=None) -> None:
        self.store = store or Store()
        self.trail = Trail(self.store)
        self.meters, self.journal, self.clock = Meters(), Journal(), Clock()
        self.cursors = Cursors(self.store, self.trail)
        means = Means(self.trail, self.cursors, self.store, self.meters, self.journal, self.clock, lambda: 1.0)
        self.notifications = Notifications(receivers, means)

    async def keep(self):
        """A second's look of every outbox."""
        for outbox in self.notifications.outboxes:
            await outbox.keep()

    def events(self, name):
        """The journal's events of one name."""
        return [fields for event, fields in self.journal.events if event == name]


def happen(life, *reasons, action="rollout.rollback"):
    """Things that people hear of."""
    at, target = life.clock.wall(), Target("route", "desk", "1.1.0")
    life.store.disk.acts += [AuditAct(at, "ada", action, target, reason=reason) for reason in reasons]


@pytest.fixture
def receiver():
    """A target."""
    return Receiver()


@pytest.fixture
async def life(receiver):
    """A gateway with one target, that has begun."""
    made = Life(receiver)
    happen(made, "history")
    await made.notifications.begin()
    return made


async def test_a_new_target_hears_of_what_happens_from_then_on(life, receiver):
    """Each once, in order; of no matter is what is for the record alone."""
    await life.keep()
    assert [] == receiver.got
    happen(life, "one")
    happen(life, "nothing", action="rollout.start")
    happen(life, "two")
    for _ in range(3):
        await life.keep()
    assert ["one", "two"] == receiver.told()
    assert [("hooks.test", "delivered")] * 2 == life.meters.notifications
    assert "<Notifications to 1 targets>" == repr(life.notifications)


async def test_what_is_of_no_matter_is_passed_over_once(life, receiver):
    """The cursor stands at the trail's end, so that no restart reads it again."""
    happen(life, "one")
    happen(life, "nothing", action="rollout.start")
    await life.keep()
    assert (["one"], 3) == (receiver.told(), life.store.disk.cursors["k1"].seq)
    happen(life, *["nothing"] * (AT_ONCE + 1), action="rollout.start")
    await life.keep()
    assert AT_ONCE + 4 == life.store.disk.cursors["k1"].seq


async def test_what_was_not_delivered_is_by_the_next_life(life, receiver):
    """A process that dies takes nothing with it; what had arrived is not sent again."""
    happen(life, "one")
    await life.keep()
    happen(life, "two", "three")
    other = Life(receiver, store=life.store)
    life.store.disk.leases.clear()
    other.store.disk.cursors = life.store.disk.cursors
    await other.notifications.begin()
    await other.keep()
    assert ["one", "two", "three"] == receiver.told()


async def test_what_had_arrived_and_is_not_known_to_is_sent_again_under_its_id(life, receiver):
    """A process may die between the answer and its record: a receiver can tell."""
    happen(life, "one")
    before = life.store.disk.cursors["k1"]
    await life.keep()
    life.store.disk.cursors["k1"] = before
    happen(life, "two")
    await life.keep()
    assert ["one", "one", "two"] == receiver.told()
    first, again, other = receiver.got
    assert (first, True) == (again, other.id != first.id)


async def test_a_target_that_is_away_is_tried_after_growing_pauses(life, receiver):
    """Nothing is lost or overtakes; it is said, counted and shown."""
    receiver.away = True
    happen(life, "one", "two")
    for passed, tries in ((0.0, 1), (0.5, 1), (0.5, 2), (1.0, 2), (1.0, 3), (3.0, 3), (1.0, 4)):
        life.clock.now += passed
        await life.keep()
        assert tries == receiver.tries
    assert {"hooks.test": 2} == life.notifications.waiting()
    (shown,) = life.notifications.status()
    assert {"target": "hooks.test", "waiting": 2, "stopped": False, "fault": "https://hooks.test: away"} == shown
    failed = life.events("notification_failed")
    assert (4, {"hooks.test"}, {"rollout.rolled_back"}) == (
        len(failed),
        {each["target"] for each in failed},
        {each["type"] for each in failed},
    )
    assert life.store.disk.cursors["k1"].failing_since is not None
    receiver.away = False
    happen(life, "three")
    life.clock.now += 8.0
    await life.keep()
    assert ["one", "two", "three"] == receiver.told()
    assert ({"hooks.test": 0}, None) == (life.notifications.waiting(), life.notifications.status()[0]["fault"])
    assert life.store.disk.cursors["k1"].failing_since is None
    assert "<Outbox hooks.test, 0 waiting>" == repr(life.notifications.outboxes[0])


async def test_what_waits_is_counted_while_it_waits(life, receiver):
    """Also what comes within a pause, and what another page holds."""
    receiver.away = True
    happen(life, "one")
    await life.keep()
    happen(life, *map(str, range(AT_ONCE + 5)))
    await life.keep()
    assert ({"hooks.test": AT_ONCE + 6}, 1) == (life.notifications.waiting(), receiver.tries)
    receiver.away = False
    life.clock.now += 9.0
    await life.keep()
    assert (AT_ONCE + 6, {"hooks.test": 0}) == (len(receiver.got), life.notifications.waiting())


async def test_what_has_failed_for_three_days_is_given_up(life, receiver):
    """It is counted and said, and the next ones go on; those that are younger wait for their own three days."""
    receiver.away = True
    happen(life, "old", "old, too")
    for _ in range(LEAST_TRIES):
        await life.keep()
        life.clock.now += 300.0
    life.clock.now += GIVE_UP_SECONDS
    happen(life, "young")
    await life.keep()
    assert 2 == len(life.events("notification_given_up"))
    assert 2 == life.meters.notifications.count(("hooks.test", "given_up"))
    assert {"hooks.test": 1} == life.notifications.waiting()
    receiver.away = False
    life.clock.now += 300.0
    await life.keep()
    assert ["young"] == receiver.told()


async def test_how_long_a_target_fails_outlives_a_process(life, receiver):
    """Another one tries some times before it gives up what is old."""
    receiver.away = True
    happen(life, "old")
    await life.keep()
    other = Life(receiver, store=life.store)
    life.store.disk.leases.clear()
    other.clock.now = life.clock.now + GIVE_UP_SECONDS + 1.0
    for tries in range(LEAST_TRIES):
        assert tries == len(other.events("notification_failed"))
        await other.keep()
        other.clock.now += 300.0
    assert 1 == len(other.events("notification_given_up"))


async def test_a_receiver_that_is_gone_is_left_alone_until_a_restart(life, receiver):
    """By 410, as Standard Webhooks say; nothing is lost by it."""
    receiver.away, receiver.answered = True, 410
    happen(life, "one")
    for _ in range(3):
        await life.keep()
        life.clock.now += 600.0
    assert (1, 1) == (receiver.tries, len(life.events("notification_target_gone")))
    assert life.notifications.status()[0]["stopped"]
    receiver.away = False
    life.store.disk.leases.clear()
    await Life(receiver, store=life.store).keep()
    assert ["one"] == receiver.told()


async def test_targets_do_not_wait_for_each_other(receiver):
    """One that never answers holds up no other, and not the end either."""
    silent = Receiver(key="k2")
    silent.silent = True
    life = Life(silent, receiver)
    await life.notifications.begin()
    happen(life, "one")
    await life.notifications.finish()
    assert (["one"], [], 1) == (receiver.told(), silent.got, silent.tries)
    assert {"hooks.test": 1} == life.notifications.waiting()


async def test_without_a_target_nothing_is_sent():
    """And nothing waits."""
    life = Life()
    await life.notifications.begin()
    await life.notifications.finish()
    assert ({}, []) == (life.notifications.waiting(), life.notifications.status())


class Rival(Store):
    """Another gateway's store on the same disk."""

    def __init__(self, other) -> None:
        super().__init__(other.disk)


async def test_of_several_gateways_one_sends(life, receiver):
    """Whoever has the lease; the others follow, and go on where it ends."""
    other = Life(receiver, store=Rival(life.store))
    await other.notifications.begin()
    receiver.away = True
    happen(life, "one", "two")
    await life.keep()
    await other.keep()
    assert (1, {"hooks.test": 2}, {"hooks.test": 0}) == (
        receiver.tries,
        life.notifications.waiting(),
        other.notifications.waiting(),
    )
    receiver.away = False
    life.store.disk.leases.clear()
    await other.keep()
    life.clock.now += 9.0
    await life.keep()
    assert (["one", "two"], {"hooks.test": 0}) == (receiver.told(), life.notifications.waiting())


async def test_a_lease_that_is_lost_between_two_messages_ends_the_sending(life, receiver):
    """The other gateway goes on with the next."""
    rival = Rival(life.store)
    taken, held = [], life.store.take_lease

    async def take_lease(name, seconds):
        taken.append(name)
        if len(taken) == 3:  # one for the look, one a message
            life.store.disk.leases[name] = rival
        return await held(name, seconds)

    life.store.take_lease = take_lease
    happen(life, "one", "two")
    await life.keep()
    assert ["one"] == receiver.told()
    await Life(receiver, store=rival).keep()
    assert ["one", "two"] == receiver.told()


async def test_a_cursor_that_another_has_moved_is_read_anew(life, receiver):
    """What the other has sent is not sent again; what waits is counted anew."""
    happen(life, "one", "two")
    move = life.cursors.move

    async def overtaken(before, after):
        life.cursors.move = move
        life.store.disk.cursors["k1"] = replace(before, seq=3)
        return await move(before, after)

    life.cursors.move = overtaken
    await life.keep()
    assert ["one"] == receiver.told()
    happen(life, "three")
    await life.keep()
    assert ["one", "three"] == receiver.told()


async def test_while_the_store_is_away_nothing_is_sent(receiver):
    """What happened meanwhile is, once it is back; a target that is new then begins there."""
    life = Life(receiver)
    life.store.away = True
    await life.notifications.begin()
    await life.keep()
    life.store.away = False
    happen(life, "before anybody knew the target")
    await life.keep()
    happen(life, "one")
    life.store.away = True
    await life.keep()
    assert [] == receiver.got
    life.store.away = False
    await life.keep()
    assert ["one"] == receiver.told()
