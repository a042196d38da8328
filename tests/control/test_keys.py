"""Keys issued, rotated and taken back while the gateway serves."""

import pytest

from gateway.control.keys import MOST_IN_FORCE
from gateway.core.errors import OperatorFault, StoreFault, UnknownSubject, VerbRefused
from tests.control.serving_world import Store, files, living, once, route, serving

pytestmark = pytest.mark.anyio

DAY = 86_400.0
WHO = files(
    route(),
    "kind: app\nname: helpdesk\nkeys: []\nroutes: [desk]",
    "kind: app\nname: sales\nkeys: []",
    "kind: operator\nname: ada\nroles: [operator]\nsigns_for: [security]",
)


def caller(process, text):
    """The name of the application that a key belongs to, now."""
    app = process.live.current.app_of(text.encode())
    return None if app is None else app.name


async def settled(process):
    """Everything is recorded."""
    assert await process.recording.settled(5.0)


async def test_an_issued_key_lets_its_application_in_once_it_is_recorded():
    """With the application's rights as the files have them; the store knows its digest and not the key."""
    async with serving(WHO) as process:
        key, text = await process.keys.issue("app", "helpdesk", "ada", None)
        app = process.live.current.app_of(text.encode())

        assert ("helpdesk", True, False) == (app.name, app.may_call("desk"), app.may_call("other"))
        assert (key,) == tuple(process.store.disk.recorded.keys) == process.keys.all_of("app")
        assert ("helpdesk", "ada", None) == (key.owner, key.created_by, key.expires_at)
        assert text not in f"{process.store.disk.recorded}{process.live.state}{process.journal.events}"
        assert "<Keys 1 issued>" == repr(process.keys)


async def test_an_issued_token_is_its_operators():
    """By what was issued it signs nothing."""
    async with serving(WHO) as process:
        key, _ = await process.keys.issue("operator", "ada", "root", 90 * DAY)
        operator = process.live.current.operators.by_token[key.digest]

        assert ("ada", "issued", key.id) == (operator.name, operator.identified, operator.by)
        assert (True, False) == (operator.may("rollout.act"), operator.may("release.sign"))
        assert () == process.keys.all_of("app")
        assert (key,) == process.keys.all_of("operator", "ada")


async def test_a_key_that_cannot_be_recorded_lets_nobody_in():
    """Nothing is in force that a restart would not know."""
    async with serving(WHO) as process:
        process.store.away = True
        with pytest.raises(StoreFault):
            await process.keys.issue("app", "helpdesk", "ada", None)
        assert {} == process.live.state.keys


async def test_a_revoked_key_lets_nobody_in_at_once_even_while_the_store_is_away():
    """The record follows; a second revocation changes nothing."""
    async with serving(WHO) as process:
        key, text = await process.keys.issue("app", "helpdesk", "ada", None)
        assert "helpdesk" == caller(process, text)
        process.store.away = True
        revoked = process.keys.revoke("app", key.id, "bob")

        assert (None, "bob") == (caller(process, text), revoked.revoked_by)
        assert revoked == process.keys.revoke("app", key.id, "eve")
        process.store.away = False
        process.recording.hurry()
        await settled(process)
        assert (revoked,) == tuple(process.store.disk.recorded.keys)


async def test_a_restart_and_a_replica_know_the_keys():
    """They are part of what is recorded: a replica lets in, and refuses, once it has looked."""
    async with serving(WHO) as process:
        key, text = await process.keys.issue("app", "helpdesk", "ada", None)
        async with serving(WHO, Store(process.store.disk)) as replica:
            assert "helpdesk" == caller(replica, text)
            process.keys.revoke("app", key.id, "ada")
            await settled(process)
            assert await replica.serving.follow() is False
            assert None is caller(replica, text)
            other, text = await replica.keys.issue("app", "sales", "ada", None)
            await process.serving.follow()
            assert ("sales", other.id) == (caller(process, text), process.keys.all_of("app", "sales")[0].id)


async def test_a_revocation_is_not_taken_back_by_what_was_read_meanwhile():
    """A look at the store that began before it is thrown away."""
    async with serving(WHO) as process:
        key, text = await process.keys.issue("app", "helpdesk", "ada", None)
        process.live._epoch = -1
        process.store.reading = once(lambda: process.keys.revoke("app", key.id, "ada"))
        await process.serving.follow()
        assert None is caller(process, text)
        await settled(process)
        await process.serving.follow()
        assert None is caller(process, text)


async def test_a_key_that_is_revoked_while_it_is_being_replaced_stays_revoked():
    """The rotation knew it before."""
    async with serving(WHO) as process:
        key, text = await process.keys.issue("app", "helpdesk", "ada", None)
        process.store.after = once(lambda: process.keys.revoke("app", key.id, "bob"))
        await process.keys.rotate("helpdesk", None, "ada", DAY, None)
        await settled(process)
        assert None is caller(process, text)
        assert "bob" == process.live.state.keys[key.id].revoked_by == process.store.disk.recorded.keys[0].revoked_by


async def test_a_key_ends_at_its_time():
    """A look at the clock takes it out, of memory too; what has no end stays."""
    async with serving(WHO) as process:
        _, short = await process.keys.issue("app", "helpdesk", "ada", 60.0)
        _, long = await process.keys.issue("app", "helpdesk", "ada", None)
        epoch = process.live.current.epoch
        for ahead, expected in ((59.9, "helpdesk"), (60.0, None), (1e9, None)):
            process.clock.ahead = ahead
            process.live.end_keys()
            assert (expected, "helpdesk") == (caller(process, short), caller(process, long))
        assert epoch + 1 == process.live.current.epoch


async def test_an_ended_key_is_not_let_in_by_a_restart():
    """Nor by a reload."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "helpdesk", "ada", 60.0)
        process.clock.ahead = 61.0
        assert (await process.serving.reload(WHO)).accepted
        assert None is caller(process, text)


async def test_a_rotation_overlaps():
    """Both are good for the overlap, then the new one alone; the new one lasts as long as the old one was to."""
    async with serving(WHO) as process:
        old, before = await process.keys.issue("app", "helpdesk", "ada", 30 * DAY)
        process.clock.ahead = DAY
        made, replaced, after = await process.keys.rotate("helpdesk", None, "bob", 7 * DAY, None)

        now = process.clock.wall()
        assert (made.id, now + 7 * DAY, now + 30 * DAY) == (replaced.replaced_by, replaced.expires_at, made.expires_at)
        assert ("helpdesk", "helpdesk") == (caller(process, before), caller(process, after))
        process.clock.ahead = 8 * DAY
        process.live.end_keys()
        assert (None, "helpdesk") == (caller(process, before), caller(process, after))
        assert [old.id, made.id] == [key.id for key in process.keys.all_of("app", "helpdesk")]


async def test_a_rotation_without_overlap_ends_the_old_key_at_once():
    """And a life that is given counts."""
    async with serving(WHO) as process:
        key, before = await process.keys.issue("app", "helpdesk", "ada", None)
        made, _, after = await process.keys.rotate("helpdesk", key.id, "ada", 0.0, DAY)
        assert (None, "helpdesk") == (caller(process, before), caller(process, after))
        assert process.clock.wall() + DAY == made.expires_at


async def test_a_rotation_must_know_which_key_is_meant():
    """One, or the one that is named; ended and foreign ones are none."""
    async with serving(WHO) as process:
        with pytest.raises(VerbRefused, match="has no issued key in force; issue one"):
            await process.keys.rotate("helpdesk", None, "ada", DAY, None)
        first, _ = await process.keys.issue("app", "helpdesk", "ada", None)
        second, _ = await process.keys.issue("app", "helpdesk", "ada", None)
        with pytest.raises(VerbRefused, match=f"2 issued keys in force: {first.id}, {second.id}; name the one"):
            await process.keys.rotate("helpdesk", None, "ada", DAY, None)
        await process.keys.rotate("helpdesk", first.id, "ada", DAY, None)
        process.keys.revoke("app", second.id, "ada")
        for named in (second.id, "none"):
            with pytest.raises(UnknownSubject, match="in force"):
                await process.keys.rotate("helpdesk", named, "ada", DAY, None)
        with pytest.raises(UnknownSubject):
            await process.keys.rotate("sales", first.id, "ada", DAY, None)
        with pytest.raises(OperatorFault, match="at most 90d"):
            await process.keys.rotate("helpdesk", None, "ada", 91 * DAY, None)


@pytest.mark.parametrize("lasts", [0.0, 59.9, 3651 * DAY, float("inf")])
async def test_a_key_does_not_last_too_short_or_too_long(lasts):
    """A slip of the unit is told."""
    async with serving(WHO) as process:
        with pytest.raises(OperatorFault, match="a key lasts from 1m to 3650d"):
            await process.keys.issue("app", "helpdesk", "ada", lasts)


@pytest.mark.parametrize(("kind", "owner"), [("app", "ada"), ("operator", "helpdesk"), ("app", "nobody")])
async def test_only_who_is_declared_gets_a_key(kind, owner):
    """The files say who there is."""
    async with serving(WHO) as process:
        with pytest.raises(UnknownSubject, match=f"no {kind} '{owner}' is declared; there is "):
            await process.keys.issue(kind, owner, "ada", None)


async def test_an_owner_has_so_many_keys():
    """One more is refused until one is revoked."""
    async with serving(WHO) as process:
        for _ in range(MOST_IN_FORCE):
            key, _ = await process.keys.issue("app", "helpdesk", "ada", None)
        with pytest.raises(VerbRefused, match="has 20 keys in force"):
            await process.keys.issue("app", "helpdesk", "ada", None)
        process.keys.revoke("app", key.id, "ada")
        await process.keys.issue("app", "helpdesk", "ada", None)


async def test_an_id_that_is_taken_is_drawn_again():
    """Two keys never share one."""
    async with serving(WHO) as process:
        drawn = iter(["0" * 8, "1" * 32, "0" * 8, "2" * 8, "3" * 32])
        process.keys._draw = lambda _count: next(drawn)
        first, _ = await process.keys.issue("app", "helpdesk", "ada", None)
        second, _ = await process.keys.issue("app", "helpdesk", "ada", None)
        assert ("0" * 8, "2" * 8) == (first.id, second.id)


@pytest.mark.parametrize("kind", ["app", "operator"])
async def test_a_key_of_another_kind_cannot_be_revoked(kind):
    """Who may revoke an application's key may not shut operators out."""
    async with serving(WHO) as process:
        other = "operator" if kind == "app" else "app"
        key, _ = await process.keys.issue(other, "ada" if other == "operator" else "helpdesk", "ada", None)
        with pytest.raises(UnknownSubject, match="no issued key"):
            process.keys.revoke(kind, key.id, "ada")
        assert key.is_good(process.clock.wall())


async def test_a_whole_key_given_as_an_id_is_not_said_again():
    """Nor logged: whoever pasted it meant its id."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "helpdesk", "ada", None)
        with pytest.raises(UnknownSubject, match="no issued key of such an id, which has 8 characters") as caught:
            process.keys.revoke("app", text, "ada")
        with pytest.raises(UnknownSubject, match="of such an id") as other:
            await process.keys.rotate("helpdesk", text, "ada", 60.0, None)
        assert text[:20] not in f"{caught.value}{other.value}"


async def test_a_key_whose_owner_leaves_the_files_is_nobodys():
    """It comes back with its owner."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "sales", "ada", None)
        without = {
            name: content.replace("kind: app\nname: sales", "kind: app\nname: selling") for name, content in WHO.items()
        }
        await process.serving.reload(without)
        assert None is caller(process, text)
        await process.serving.reload(WHO)
        assert "sales" == caller(process, text)


async def test_the_copy_for_a_start_without_the_store_holds_the_keys():
    """Applications go on calling."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "helpdesk", "ada", None)
        await settled(process)
        await process.live.keep_copy()
        store = Store()
        store.away = True
        async with living(store, copy=process.copy) as later:
            await later.serving.open(WHO)
            assert "helpdesk" == caller(later, text)


async def test_a_key_that_is_not_in_the_copy_is_in_doubt_until_the_store_is_back():
    """Another gateway may have issued it since; one that is known to be revoked opens nothing, and is in no doubt."""
    async with serving(WHO) as process:
        first, known = await process.keys.issue("app", "helpdesk", "ada", None)
        await settled(process)
        await process.live.keep_copy()
        store, copy = process.store, process.copy
        _, new = await process.keys.issue("app", "helpdesk", "ada", None)
        await settled(process)
    store.away = True
    async with living(store, copy=copy) as later:
        await later.serving.open(WHO)
        later.keys.revoke("app", first.id, "bob")
        doubts = [later.live.current.is_in_doubt(text.encode()) for text in (known, new)]
        assert (None, None, [False, True]) == (caller(later, known), caller(later, new), doubts)
        store.away = False
        await later.serving.follow()
        assert "helpdesk" == caller(later, new)
        assert not later.live.current.is_in_doubt(b"anything")
