"""What files say should serve, where other replicas take the same files on the same store."""

import pytest

from gateway.core.errors import Overtaken
from tests.control.serving_world import Disk, Store, files, living, rolling, route, serving

pytestmark = pytest.mark.anyio


async def lead(process) -> None:
    """Let a replica take the lease of judging, and start the rollout that its newer files ask for."""
    assert await process.live.judge_lease.is_ours()
    assert (await process.serving.reload(rolling())).accepted


def left_behind(process) -> list[str]:
    """What the last reload says of lines that others have gone on from."""
    said = [str(problem) for problem in process.serving.last_reload.warnings]
    return [problem for problem in said if "gone on" in problem]


async def test_two_replicas_that_start_at_once_on_an_empty_store_both_serve():
    """One records the first deployment, the other finds itself overtaken, looks, and serves the same."""
    disk = Disk()
    async with living(Store(disk)) as one, living(Store(disk)) as other:
        other.store.let_first(one.serving.open(files(route())))
        await other.serving.open(files(route()))

        assert [("1.0.0", 1)] * 2 == [(each.desk.stable.version, each.kept.revision) for each in (one, other)]


async def test_two_replicas_that_take_the_same_files_at_once_start_one_rollout():
    """The one that comes second goes on from what the first recorded."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one, serving(files(route()), Store(disk)) as other:
        assert await one.recording.settled(60)
        other.store.let_first(one.serving.reload(rolling()))
        assert (await other.serving.reload(rolling())).accepted

        assert ["start"] == [event.verb for event in disk.events]
        assert one.desk.canary == other.desk.canary
        assert [50_000] * 2 == [one.weight, other.weight]


async def test_a_replica_that_is_restarted_with_older_files_leaves_the_rollout_of_the_others_alone():
    """It serves as they do and says what its files ask for; the same files again ask for nothing either."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one:
        await lead(one)
        async with serving(files(route()), Store(disk)) as other:
            assert [
                "all.yaml:8: route desk asks for 1.0.0 here, and other gateways have gone on to 1.1.0: that stays; "
                "give every gateway the same files; `pinion rollout rollback` or `undo` goes back"
            ] == left_behind(other)
            assert (await other.serving.reload(files(route(), route("other")))).accepted
            assert not await other.serving.follow()
            assert [50_000] * 2 == [one.weight, other.weight]
        assert ["start"] == [event.verb for event in disk.events]


async def test_a_change_back_reaches_all_in_any_order_and_is_one_rollback():
    """Each replica reads it by itself: the first one acts, and the others find it done."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one, serving(files(route()), Store(disk)) as other:
        for files_now in (rolling(), files(route())):
            for replica in (other, one):
                assert (await replica.serving.reload(files_now)).accepted
                assert [] == left_behind(replica)
        assert ["start", "rollback"] == [event.verb for event in disk.events]


async def test_who_is_behind_asks_again_with_what_is_new_to_all():
    """Its files were older; now they are the newest."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one:
        await lead(one)
        async with serving(files(route()), Store(disk)) as other:
            assert (await other.serving.reload(rolling(serve="1.2.0"))).accepted
            assert ["start", "supersede", "start"] == [event.verb for event in disk.events]
            assert [] == left_behind(other)


async def test_who_starts_alone_may_have_gone_back():
    """Nobody else is there who has gone on: the files are what is wanted."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one:
        assert (await one.serving.reload(rolling())).accepted
    async with serving(files(route()), Store(disk)):
        assert ["start", "rollback"] == [event.verb for event in disk.events]


@pytest.mark.parametrize(("gone", "verbs"), [(True, ["start", "rollback"]), (False, ["start"])])
async def test_who_starts_soon_after_the_last_one_ended_counts_once_its_lease_is_over(gone, verbs):
    """The lease of one that has gone lasts on for seconds; that of one that lives is kept."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one:
        await lead(one)
        async with serving(files(route()), Store(disk)) as other:
            other.clock.now += 11.0
            if gone:
                disk.leases.clear()
            assert gone is await other.serving.follow()
            if gone:
                assert (await other.serving.reload(files(route()))).accepted
            other.clock.now += 11.0
            disk.leases.clear()
            assert not await other.serving.follow()
            assert verbs == [event.verb for event in disk.events]


async def test_a_set_that_is_overtaken_every_time_is_refused_with_a_remedy():
    """It does not go on for ever; what serves goes on."""
    tries = []
    async with serving(files(route())) as process:
        assert await process.recording.settled(60)

        async def be_overtaken():
            tries.append(1)
            raise Overtaken("route desk has moved")

        process.store.before = be_overtaken
        reload = await process.serving.reload(rolling())

        assert (4, ["store:0: route desk has moved; reload again once the store can be written"]) == (
            len(tries),
            [str(problem) for problem in reload.problems],
        )
        assert (0, "1.0.0") == (process.weight, process.desk.stable.version)


async def test_the_store_going_and_coming_back_is_told_once_each():
    """However often it is looked at meanwhile."""
    async with serving(files(route())) as process:
        assert await process.recording.settled(60)
        for away in (False, True, True, False, False):
            process.store.away = away
            assert not await process.serving.follow()
            assert away is process.serving.store_is_away

        told = [name for name, _ in process.journal.events if name.startswith("store_")]
        assert ["store_away", "store_back"] == told
        assert ("error", "the disk is away") == tuple(process.events("store_away")[0].values())


async def test_a_reload_does_not_open_what_an_operator_has_closed():
    """A set without operators would let everybody on the machine act: only a start takes it."""
    ada = "kind: operator\nname: ada\nroles: [operator]"
    async with serving(files(route(), ada)) as process:
        refused = await process.serving.reload(files(route()))
        assert ["the set declares no operator any more, which would let everybody on the machine act"] == [
            problem.problem for problem in refused.problems
        ]
        assert {"ada"} == set(process.live.current.operators.by_name)
        assert (await process.serving.reload(files(route(), ada.replace("ada", "bob")))).accepted
        assert {"bob"} == set(process.live.current.operators.by_name)
