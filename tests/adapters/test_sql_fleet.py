"""What the gateways of one store have in common, on both engines."""

import asyncio

import pytest

from gateway.adapters.sql_store import SqlStore

pytestmark = pytest.mark.anyio


async def test_a_store_has_one_secret(place):
    """However many ask for it first, at once or after a restart."""
    store, beside = await SqlStore.open(place.url), SqlStore.awaited(place.url) if "postgres" in place.url else None
    asked = set(await asyncio.gather(*(each.fleet_secret() for each in (store, beside, store) if each is not None)))
    for each in (store, beside):
        if each is not None:
            await each.close()
    again = await SqlStore.open(place.url)
    asked.add(await again.fleet_secret())
    await again.close()
    (secret,) = asked
    assert 32 == len(secret)


async def test_the_number_of_gateways_is_recorded(place):
    """It is read with everything else; the same number again raises no epoch, so that all may write it at once."""
    store = await SqlStore.open(place.url)
    assert 1 == (await store.recorded()).replicas
    assert [1, 1, 2] == [await store.record_replicas(number) for number in (3, 3, 2)]
    assert (2, 2) == ((await store.recorded()).replicas, await store.epoch())
    await store.close()
