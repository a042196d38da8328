"""Issued keys and the use of access, in SQL."""

import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql_store import SqlStore
from gateway.core.access_use import AccessUse
from gateway.core.api_key import IssuedKey
from gateway.core.audit import ITSELF
from gateway.core.audit_acts import act_of_keys
from tests.adapters.databases import opened

pytestmark = pytest.mark.anyio

KEY = IssuedKey("k1", "app", "helpdesk", "ab" * 32, 1.0, "ada")
ACT = act_of_keys([KEY], "issue", ITSELF, 1.0)
OTHER = IssuedKey("k2", "operator", "bob", "cd" * 32, 2.0, "ada", 9.0)


async def test_keys_are_part_of_what_is_recorded(place):
    """The oldest first, each write an epoch, and all there after a restart."""
    async with opened(place) as store:
        assert 1 == await store.record_keys([OTHER, KEY], ACT)
        assert (KEY, OTHER) == (await store.recorded()).keys
        assert 2 == await store.record_keys([], ACT)
    async with opened(place) as store:
        assert (2, (KEY, OTHER)) == ((await store.recorded()).epoch, (await store.recorded()).keys)


async def test_no_write_takes_a_revocation_back(place):
    """Whoever knew less of the key, and wrote later."""
    revoked = KEY.revoked(5.0, "bob")
    async with opened(place) as store:
        await store.record_keys([KEY], ACT)
        await store.record_keys([revoked], ACT)
        await store.record_keys([KEY.replaced("k2", 9.0), OTHER], ACT)
        expected = replace(revoked, expires_at=9.0, replaced_by="k2")
        assert (expected, OTHER) == (await store.recorded()).keys


async def test_of_many_who_write_one_key_the_strictest_stands(place):
    """On two connections at once, where the engine allows that."""
    async with opened(place) as store:
        others = [store]
        if store._database.is_shared:
            others.append(await SqlStore.open(place.url))
        changes = [KEY.replaced("k2", float(end)) for end in range(10, 20)] + [KEY.revoked(3.0, "ada")]
        await asyncio.gather(*(others[n % len(others)].record_keys([each], ACT) for n, each in enumerate(changes)))
        (found,) = (await store.recorded()).keys
        assert (10.0, 3.0, "ada") == (found.expires_at, found.revoked_at, found.revoked_by)
        for other in others[1:]:
            await other.close()


async def test_the_latest_use_stands_and_raises_no_epoch(place):
    """Of each key and each grant; what was not used again stays as it is."""
    async with opened(place) as store:
        assert AccessUse() == await store.access_use()
        await store.keep_use(AccessUse())
        await store.keep_use(AccessUse({"a": 5.0, "b": 1.0}, {("ada", "status.read"): 3, ("bob", "key.issue"): 9}))
        await store.keep_use(AccessUse({"a": 4.0, "c": 6.0}, {("ada", "status.read"): 4, ("ada", "rollout.act"): 1}))
        assert 0 == await store.epoch()
        expected = {("ada", "status.read"): 4, ("ada", "rollout.act"): 1, ("bob", "key.issue"): 9}
        assert AccessUse({"a": 5.0, "b": 1.0, "c": 6.0}, expected) == await store.access_use()
